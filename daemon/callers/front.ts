/**
 * The front, as the core sees it: started, watched, and started again.
 *
 * It is watched by its exit, by its resident memory, and by a ping every PING_MS: a front that sends nothing
 * until the third one has waited for LAST_PING_MS is lost, unless it is ready to run and gets no processor: such a one
 * has more time, and a limit of processor time. A front that is lost is started again: at once the
 * first time, then after 0.1 s and twice that each time, up to 5 s; one that served for STABLE_MS begins anew.
 * The handoff plane does not depend on it.
 */
import { type Decoded, type Draft, type OwnedFd, seqpacketPair } from '@vkmemd/proto';
import type { FrontInstance, Scheduled, StartFront } from '../link/front-instance.js';
import { Link } from '../link/link.js';

const PING_MS = 1000;
/** How long the last of the unanswered pings may take. */
const LAST_PING_MS = 100;
const MAX_UNANSWERED = 3;
/**
 * What a front that gets no processor may take instead: to answer a ping, and to start. Processor time is that in which
 * one that works would have answered.
 */
const STARVED = { answer: { ms: 30_000, ranMs: 1000 }, start: { ms: 120_000, ranMs: 5000 } };
/** Until a front that was started answers the first ping. */
const START_MS = 20_000;
const MEMORY_MS = 250;
/** From SIGKILL until the process has ended. */
const EXIT_MS = 2000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5000;
const STABLE_MS = 1000;

export interface FrontHandlers {
  /** There is a front from now on, which has no callers. */
  up(): void;
  /** The front is lost, with all its callers. */
  down(): void;
  /** @throws if the front breaks the protocol. */
  message(message: Decoded<'ToCore'>): void;
}

interface Collaborators {
  /** 'none': it is never present. */
  readonly start: StartFront | 'none';
  /** Reports that the front was lost. */
  readonly note: (what: string) => void;
  /** Maximum resident memory, in bytes. */
  readonly maxBytes: () => number;
}

export class Front implements AsyncDisposable {
  readonly #with: Collaborators;
  readonly #onChange: (() => void)[] = [];
  #handlers: FrontHandlers | undefined;
  #run: FrontRun | undefined;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;
  #failures = 0;
  #present = false;
  #since = Date.now();
  #restarts = 0;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  get present(): boolean {
    return this.#present;
  }

  /** When it became present, or was lost, in milliseconds since 1970. */
  get since(): number {
    return this.#since;
  }

  /** Whether it was lost, and has not returned. */
  get away(): boolean {
    return !this.#present && this.#restarts > 0;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Undefined while there is none, or if it runs in this process. */
  get pid(): number | undefined {
    return this.#run?.pid;
  }

  /** Calls the listener at each change of `present`. */
  onChange(listener: () => void): void {
    this.#onChange.push(listener);
  }

  /** Sets what its messages are passed to, which may be after the start. */
  attach(handlers: FrontHandlers): void {
    this.#handlers = handlers;
    if (this.#present) handlers.up();
  }

  /** Starts it. Later it is started again whenever it is lost. */
  start(): void {
    const { start, maxBytes } = this.#with;
    if (start === 'none') return;
    try {
      this.#run = new FrontRun(start, maxBytes, {
        up: () => {
          this.#set(true);
          this.#handlers?.up();
        },
        message: (message) => this.#handlers?.message(message),
        // What connects from now on waits for the next front.
        ending: () => this.#down(),
        lost: (why, servedMs) => this.#lost(why, servedMs),
      });
    } catch (failure) {
      this.#lost(failure instanceof Error ? failure.message : String(failure), 0);
    }
  }

  /** Sends a message; dropped while there is no front. @param fd of a Caller; taken. */
  send(message: Draft<'ToFront'>, fd?: OwnedFd): void {
    if (this.#run) this.#run.link.send(message, fd);
    else fd?.close();
  }

  pause(): void {
    this.#run?.link.pause();
  }

  resume(): void {
    this.#run?.link.resume();
  }

  /** Ends it, without another start. Resolves when it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    await this.#run?.end();
  }

  #set(present: boolean): void {
    if (this.#present === present) return;
    this.#present = present;
    this.#since = Date.now();
    for (const listener of this.#onChange) listener();
  }

  #down(): void {
    this.#set(false);
    this.#handlers?.down();
  }

  #lost(why: string, servedMs: number): void {
    this.#run = undefined;
    this.#down();
    if (this.#stopping) return;
    this.#failures = servedMs >= STABLE_MS ? 0 : this.#failures;
    const delay =
      this.#failures === 0 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (this.#failures - 1), MAX_DELAY_MS);
    this.#failures += 1;
    this.#restarts += 1;
    this.#with.note(`the front was lost (${why}); it is started again in ${delay} ms`);
    this.#restart = setTimeout(() => this.start(), delay);
  }
}

interface RunHandlers {
  up(): void;
  message(message: Decoded<'ToCore'>): void;
  /** Its link has ended. */
  ending(): void;
  lost(why: string, servedMs: number): void;
}

/** A time in which a front sends nothing. */
class Silence {
  readonly #instance: FrontInstance;
  readonly #since = performance.now();
  readonly #before: Scheduled | undefined;

  constructor(instance: FrontInstance) {
    this.#instance = instance;
    this.#before = instance.scheduled();
  }

  /** Whether it sends nothing because other threads have the processors. @param max until it is taken for lost. */
  isOfStarved(max: { readonly ms: number; readonly ranMs: number }): boolean {
    const [before, now] = [this.#before, this.#instance.scheduled()];
    if (!before || !now) return false;
    const silentMs = performance.now() - this.#since;
    return now.runnable && silentMs < max.ms && now.ranMs - before.ranMs < max.ranMs;
  }
}

/** The link has ended without a fault. */
const EXITED = 'it has exited';

/** One front, from its start to its end. */
class FrontRun {
  readonly link: Link<'ToFront', 'ToCore'>;
  readonly #maxBytes: () => number;
  readonly #handlers: RunHandlers;
  readonly #instance: FrontInstance;
  readonly #timers: NodeJS.Timeout[];
  #upSince: number | undefined;
  #unanswered = 0;
  /** Since the start, or the first ping that is not answered. */
  #silence: Silence | undefined;
  #judgement: NodeJS.Timeout | undefined;
  #ended: Promise<void> | undefined;
  #why: string | undefined;

  /** @throws if it cannot be started. */
  constructor(start: StartFront, maxBytes: () => number, handlers: RunHandlers) {
    this.#maxBytes = maxBytes;
    this.#handlers = handlers;
    const [ours, its] = seqpacketPair();
    try {
      this.#instance = start(its, maxBytes());
    } catch (failure) {
      ours.close();
      its.close();
      throw failure;
    }
    this.link = new Link(ours, 'ToFront', 'ToCore', {
      message: (message) => this.#receive(message),
      // Without a fault it has ended, or is ending: how, its exit says.
      ended: (fault) => void this.end(fault ?? EXITED),
    });
    void this.#instance.exited.then((how) => this.end(how));
    this.#timers = [
      setInterval(() => this.#ping(), PING_MS),
      setInterval(() => this.#checkMemory(), MEMORY_MS),
    ];
    this.link.send({ ping: {} });
    this.#silence = new Silence(this.#instance);
    this.#judge(START_MS, 'start', `it did not answer within ${START_MS} ms`);
  }

  get pid(): number | undefined {
    return this.#instance.pid;
  }

  /** Ends it. Resolves when the process has ended, which is then reported once. */
  end(why = 'the daemon stops'): Promise<void> {
    this.#why ??= why;
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    for (const timer of [...this.#timers, this.#judgement]) clearTimeout(timer);
    this.link[Symbol.dispose]();
    this.#handlers.ending();
    this.#instance.kill();
    const how = await this.#exit();
    const served = this.#upSince === undefined ? 0 : performance.now() - this.#upSince;
    this.#handlers.lost(this.#why === undefined || this.#why === EXITED ? how : this.#why, served);
  }

  /** How it ended. One that the kernel cannot end yet, since it waits for a device, is not waited for. */
  #exit(): Promise<string> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve('its process has not ended yet'), EXIT_MS);
      void this.#instance.exited.then((how) => {
        clearTimeout(timer);
        resolve(how);
      });
    });
  }

  #receive(message: Decoded<'ToCore'>): void {
    if (this.#ended) return;
    // A sign of life as a pong is: while many calls wait, the link is not read, and pongs wait behind them.
    this.#unanswered = 0;
    this.#silence = undefined;
    if (message.body === 'pong') {
      if (this.#upSince !== undefined) return;
      this.#upSince = performance.now();
      this.#handlers.up();
      return;
    }
    try {
      this.#handlers.message(message);
    } catch (failure) {
      this.link.fail(`it broke the protocol: ${failure instanceof Error ? failure.message : failure}`);
    }
  }

  #ping(): void {
    if (this.#upSince === undefined) return;
    if (this.#unanswered >= MAX_UNANSWERED) return;
    this.link.send({ ping: {} });
    this.#unanswered += 1;
    if (this.#unanswered === 1) this.#silence = new Silence(this.#instance);
    if (this.#unanswered === MAX_UNANSWERED)
      this.#judge(LAST_PING_MS, 'answer', `it did not answer ${MAX_UNANSWERED} pings`);
  }

  /** Ends it if it is still silent after the time, and could have answered. */
  #judge(afterMs: number, what: keyof typeof STARVED, why: string): void {
    const silence = this.#silence;
    clearTimeout(this.#judgement);
    this.#judgement = setTimeout(() => {
      if (!silence || silence !== this.#silence) return;
      if (silence.isOfStarved(STARVED[what])) this.#judge(LAST_PING_MS, what, why);
      // After what has arrived by now was read.
      else setImmediate(() => silence === this.#silence && void this.end(why));
    }, afterMs);
  }

  #checkMemory(): void {
    const [bytes, max] = [this.#instance.residentBytes(), this.#maxBytes()];
    if (bytes > max)
      void this.end(`it had ${bytes} bytes of resident memory, more than front_memory (${max})`);
  }
}
