/**
 * Events that affect all clients at once, as the seed determines: the daemon is stopped for up to a second,
 * its front is lost, the file system of its ledger is full or its memory short for a while, and a scripted driver is slow or fails.
 */
import type { Action } from './behaviour.js';
import type { ChaosDaemon } from './daemon.js';
import { Driver } from './driver.js';
import { ChaosFront } from './front.js';
import type { Gate } from './gate.js';
import type { Random } from './random.js';
import { rest } from './rest.js';
import { Surroundings } from './surroundings.js';

/** Long enough in between for measurements. */
const BETWEEN_STOPS_MS = [12_000, 24_000] as const;
const BETWEEN_LOSSES_MS = [3000, 8000] as const;
const BETWEEN_FAULTS_MS = [400, 1500] as const;
const BETWEEN_SHORTAGES_MS = [5000, 15_000] as const;
const MAX_STOPPED_MS = 1000;

export class Interference {
  readonly #gate: Gate;
  readonly #began: (action: Action) => void;
  readonly #pace: number;
  readonly #over = new AbortController();

  /** @param pace divides the time in between. */
  constructor(gate: Gate, began: (action: Action) => void, pace = 1) {
    this.#gate = gate;
    this.#began = began;
    this.#pace = pace;
  }

  /** Stops the daemon repeatedly, until end() or this many times. */
  async stopDaemon(daemon: ChaosDaemon, random: Random, max: number): Promise<void> {
    await this.#each('daemon', random, BETWEEN_STOPS_MS, max, (drawn) => {
      const forMs = drawn.between(20, MAX_STOPPED_MS);
      return { name: 'stop', params: { forMs }, work: () => daemon.freeze(forMs) };
    });
  }

  /** Disturbs the driver repeatedly. */
  async disturbDriver(driver: Driver, random: Random, max: number): Promise<void> {
    await this.#each('driver', random, BETWEEN_FAULTS_MS, max, (drawn) => {
      const line = Driver.plan(drawn);
      return { name: 'fault', params: { line }, work: async () => driver.disturb(line) };
    });
  }

  /** Disturbs the front repeatedly. @param between the least and the longest time in between. */
  async disturbFront(
    front: ChaosFront,
    random: Random,
    max: number,
    between: readonly [number, number] = BETWEEN_LOSSES_MS,
  ): Promise<void> {
    await this.#each('front', random, between, max, (drawn) => {
      const way = ChaosFront.plan(drawn);
      return { name: 'lose', params: { way }, work: () => front.disturb(way, drawn) };
    });
  }

  /** Disturbs the daemon's surroundings repeatedly. */
  async disturbSurroundings({ surroundings, pid }: ChaosDaemon, random: Random, max: number): Promise<void> {
    if (!surroundings) return;
    await this.#each('surroundings', random, BETWEEN_SHORTAGES_MS, max, (drawn) => {
      const params = Surroundings.plan(drawn);
      return { name: 'shortage', params, work: () => surroundings.disturb(params, pid) };
    });
  }

  end(): void {
    this.#over.abort();
  }

  async #each(
    actor: string,
    random: Random,
    [least, longest]: readonly [number, number],
    max: number,
    draw: (random: Random) => Pick<Action, 'name' | 'params'> & { work(): Promise<void> },
  ): Promise<void> {
    for (let number = 1; number <= max && !this.#over.signal.aborted; number += 1) {
      const drawn = random.fork(`${actor}/${number}`);
      const { name, params, work } = draw(drawn);
      await rest(drawn.between(least, longest) / this.#pace, this.#over.signal);
      if (this.#over.signal.aborted) return;
      await this.#gate.pass(async () => {
        this.#began({ actor, number, name, params });
        await work();
      });
    }
  }
}
