/**
 * One front, from its start to its end.
 *
 * It is watched by its exit, by its resident memory, and by a ping every PING_MS: a front that sends nothing
 * until the third one has waited for LAST_PING_MS is lost, unless it gets no processor (silence.ts).
 */
import { type Decoded, seqpacketPair } from '@vkmemd/proto';
import type { FrontInstance, StartFront } from '../link/front-instance.js';
import { Link } from '../link/link.js';
import { Silence } from './silence.js';

const PING_MS = 1000;
/** How long the last of the unanswered pings may take. */
const LAST_PING_MS = 100;
const MAX_UNANSWERED = 3;
/** Until a front that was started answers the first ping. */
const START_MS = 20_000;
const MEMORY_MS = 250;
/** From SIGKILL until the process has ended. */
const EXIT_MS = 2000;

export interface RunHandlers {
  up(): void;
  message(message: Decoded<'ToCore'>): void;
  /** Its link has ended. */
  ending(): void;
  lost(why: string, servedMs: number): void;
}

/** The link has ended without a fault. */
const EXITED = 'it has exited';

export class FrontRun {
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
  #judge(afterMs: number, what: 'start' | 'answer', why: string): void {
    const silence = this.#silence;
    clearTimeout(this.#judgement);
    this.#judgement = setTimeout(() => {
      if (!silence || silence !== this.#silence) return;
      if (silence.isOfStarved(what)) this.#judge(LAST_PING_MS, what, why);
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
