/**
 * The front, as the core sees it: started, watched, and started again.
 *
 * One that is lost (front-run.ts) is started again: at once the first time, then after 0.1 s and twice that each
 * time, up to 5 s; one that served for STABLE_MS begins anew. The handoff plane does not depend on it.
 */
import type { Decoded, Draft, OwnedFd } from '@vkmemd/proto';
import type { StartFront } from '../link/front-instance.js';
import { FrontRun } from './front-run.js';

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
