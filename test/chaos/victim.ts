/** The harness's side of programs/victim.ts. */
import { Breach } from './behaviour.js';
import { Companion, programOf, type User } from './companion.js';
import type { Guardian } from './guardian.js';
import type { FromVictim, Sample, ToVictim } from './messages.js';
import type { Prey } from './stage.js';

/** The maximum time of one request, on a busy machine. */
const MAX_SILENT_MS = 30_000;

export interface VictimSetting {
  readonly guardian: Guardian;
  readonly user: User | undefined;
  readonly runtimeDir: string;
  readonly seed: string;
  /** The name of its memory. */
  readonly memory: string;
  /** Codes that its requests may be refused with. */
  readonly expected: readonly string[];
  sampled(samples: readonly Sample[]): void;
  /** It could not reach gRPC at that time. */
  unavailable(atMs: number, why: string): void;
  /** It has found a violation, or ended by itself. */
  broke(reason: Error): void;
}

/** Its final report. */
export interface VictimEnd {
  /** The number of bytes that it has compared. */
  readonly verified: number;
  /** Permitted failures of requests, by their codes. */
  readonly refused: Readonly<Record<string, number>>;
}

export class Victim {
  readonly prey: Prey;
  readonly #companion: Companion;
  readonly #heard: Heard;

  private constructor(companion: Companion, heard: Heard, prey: Prey) {
    this.#companion = companion;
    this.#heard = heard;
    this.prey = prey;
  }

  /** Resolves when it has its memory and is idle. */
  static async start(setting: VictimSetting): Promise<Victim> {
    const { guardian, user, runtimeDir, seed, memory, expected } = setting;
    const args = [programOf('victim'), runtimeDir, seed, memory, expected.join(',')];
    const companion = new Companion(guardian, { args, user });
    const heard = new Heard();
    const all = companion.listen<FromVictim>((message) => {
      if ('samples' in message) setting.sampled(message.samples);
      else if ('unavailable' in message) setting.unavailable(message.unavailable, message.why);
      else if ('breach' in message) setting.broke(new Breach(`a victim: ${message.breach}`));
      else if ('failed' in message) setting.broke(new Error(`a victim failed: ${message.failed}`));
      else heard.settle(message);
    });
    void all.then(async () => {
      const { code, signal } = await companion.ended;
      const breach = new Breach(`a victim ended with ${code ?? signal}: ${companion.errors}`);
      heard.over(breach);
      if (!heard.done) setting.broke(breach);
    });
    const message = await heard.next();
    if (!('ready' in message)) throw new Error('a victim did not start');
    return new Victim(companion, heard, message.ready);
  }

  work(): void {
    this.#companion.send<ToVictim>({ do: 'work' });
  }

  /** Resolves between two of its requests. */
  async pause(): Promise<void> {
    this.#companion.send<ToVictim>({ do: 'pause' });
    await this.#heard.next();
  }

  /** Makes it release everything and end. */
  async end(): Promise<VictimEnd> {
    this.#heard.done = true;
    this.#companion.send<ToVictim>({ do: 'end' });
    const message = await this.#heard.next();
    await this.#companion.ended;
    if (!('ended' in message)) throw new Error('a victim did not end');
    return message;
  }
}

type Answer = Extract<FromVictim, { ready: Prey } | { paused: true } | { ended: true }>;

/** Its answers, one at a time. */
class Heard {
  done = false;
  #waiting: { resolve(message: Answer): void; reject(reason: Error): void } | undefined;

  async next(): Promise<Answer> {
    const late = setTimeout(() => {
      this.over(new Breach(`a victim had no answer for ${MAX_SILENT_MS} ms`));
    }, MAX_SILENT_MS);
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject };
      });
    } finally {
      clearTimeout(late);
    }
  }

  settle(message: Answer): void {
    this.#waiting?.resolve(message);
    this.#waiting = undefined;
  }

  over(reason: Breach): void {
    this.#waiting?.reject(reason);
  }
}
