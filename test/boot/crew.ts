/**
 * The workers in a booted system, each a service of its own, which the test starts and pauses over a socket.
 *
 * While all of them pause, their own records must equal the daemon's state: the same allocations, of the same
 * sizes, and no others; and none of them may have read a wrong word.
 */
import { mkdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { until } from '../support/supervised-daemon.js';
import type { Booted } from './booted.js';
import { ORDERS } from './places.js';

export interface Order {
  readonly order: 'work' | 'rest' | 'end';
  /** The number of workers. */
  readonly workers: number;
}

/** The report of a paused worker. */
export interface Report {
  readonly number: number;
  /** The number of words so far that had a wrong value. */
  readonly wrong: number;
  /** Bytes that were verified. */
  readonly verified: number;
  readonly requests: number;
  /** Sessions that were not restored after a restart. */
  readonly unrestored: number;
  /** Its allocations that the daemon does not list. */
  readonly missing: number;
  readonly failures: readonly string[];
  readonly allocations: readonly { readonly id: string; readonly bytes: string }[];
  /**
   * Since the last report: from the loss of the connection to the first answer afterwards, in ms of
   * CLOCK_MONOTONIC.
   */
  readonly absences: readonly { readonly from: number; readonly to: number }[];
}

/** The fields of its `vkmemctl --json` output. */
interface Listed {
  readonly id: string;
}
interface Status {
  readonly counts: Readonly<Record<string, number>>;
  readonly heaps: readonly Readonly<Record<string, string>>[] | null;
}

export class Crew {
  readonly #booted: Booted;
  readonly #server: Server;
  readonly #sockets = new Map<number, Socket>();
  readonly #answers = new Map<number, (report: Report) => void>();
  readonly #count: number;

  private constructor(booted: Booted, count: number) {
    this.#booted = booted;
    this.#count = count;
    this.#server = createServer((socket) => {
      createInterface({ input: socket }).on('line', (line) => {
        const report = JSON.parse(line) as Report;
        this.#sockets.set(report.number, socket);
        this.#answers.get(report.number)?.(report);
      });
    });
  }

  /** Starts this many workers, of which the first is sandboxed. Resolves when all of them work. */
  static async start(t: Test, booted: Booted, count: number): Promise<Crew> {
    const crew = new Crew(booted, count);
    t.teardown(() => crew.#server.close());
    mkdirSync(booted.path(ORDERS), { recursive: true });
    const path = booted.path(`${ORDERS}/orders.sock`);
    await new Promise<void>((resolve) => crew.#server.listen({ path, writableAll: true }, resolve));
    await booted.systemctl('start', '--no-block', ...crew.units);
    const begun = until('all workers have started', () => crew.#sockets.size === count || undefined);
    await begun.catch(async (failure) => {
      const said = (await booted.journal('PRIORITY=6', '+', 'PRIORITY=3'))
        .map(({ MESSAGE }) => MESSAGE)
        .slice(-40);
      throw new Error(said.join('\n'), { cause: failure });
    });
    crew.work();
    return crew;
  }

  get units(): string[] {
    const plain = Array.from({ length: this.#count - 1 }, (_, at) => `worker@${at + 1}.service`);
    return ['vkmemd-worker-example.service', ...plain];
  }

  work(): void {
    for (const number of this.#sockets.keys()) this.#send(number, 'work');
  }

  /** Pauses all workers. Resolves to their reports. */
  rest(): Promise<Report[]> {
    return this.#order('rest');
  }

  /** The workers free everything that they have, and end. */
  async end(): Promise<void> {
    await this.#order('end');
    await until(
      'all units have ended',
      () => this.units.every((unit) => this.#booted.pids(unit).length === 0) || undefined,
    );
  }

  /**
   * Pauses all workers, and asserts that nothing is lost and that their records equal the daemon's state.
   * @returns their reports.
   */
  async audit(t: Test, what: string): Promise<Report[]> {
    const reports = await this.rest();
    const sum = (column: 'wrong' | 'missing' | 'unrestored' | 'verified' | 'requests') =>
      reports.reduce((total, report) => total + report[column], 0);
    t.strictSame(
      { wrong: sum('wrong'), missing: sum('missing'), unrestored: sum('unrestored') },
      { wrong: 0, missing: 0, unrestored: 0 },
      `${what}: no wrong word, no lost allocation, no lost session`,
    );
    t.strictSame(
      reports.flatMap(({ failures }) => failures),
      [],
      `${what}: no request failed`,
    );
    const believed = reports.flatMap(({ allocations }) => allocations);
    // Freed memory stops draining when its last reader has released it.
    const { ids, live, counts } = await until(`${what}: nothing drains`, async () => {
      const found = await this.has();
      return found.counts.drainingAllocations === 0 && found.live !== undefined ? found : undefined;
    });
    t.strictSame(
      ids,
      believed.map(({ id }) => id).sort(),
      `${what}: the daemon has the allocations of the workers' records`,
    );
    t.equal(
      live,
      believed.reduce((total, { bytes }) => total + BigInt(bytes), 0n),
      `${what}: with the same number of bytes`,
    );
    t.match(counts, { sessions: this.#count, allocations: believed.length }, `${what}: sessions`);
    t.comment(`${what}: ${sum('requests')} requests, ${sum('verified')} bytes verified so far`);
    return reports;
  }

  /** The daemon's state, as an operator sees it. */
  async has(): Promise<{ ids: string[]; live: bigint | undefined; counts: Status['counts'] }> {
    const json = async (command: string) => {
      const { status, stdout, stderr } = await this.#booted.vkmemctl('root', command, '--json');
      if (status !== 0) throw new Error(stderr);
      return JSON.parse(stdout);
    };
    const [{ allocations }, { counts, heaps }] = (await Promise.all([json('ls'), json('status')])) as [
      { allocations: Listed[] },
      Status,
    ];
    // Null while the front starts.
    const live = heaps?.reduce((total, heap) => total + BigInt(heap.liveBytes ?? 0), 0n);
    return { ids: allocations.map(({ id }) => id).sort(), live, counts };
  }

  async #order(order: Order['order']): Promise<Report[]> {
    const answers = [...this.#sockets.keys()].map(
      (number) => new Promise<Report>((resolve) => this.#answers.set(number, resolve)),
    );
    for (const number of this.#sockets.keys()) this.#send(number, order);
    return Promise.all(answers);
  }

  #send(number: number, order: Order['order']): void {
    this.#sockets.get(number)?.write(`${JSON.stringify({ order, workers: this.#count } satisfies Order)}\n`);
  }
}
