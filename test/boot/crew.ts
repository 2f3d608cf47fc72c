/**
 * Crew: workers in a booted system, each a service of its own, told over a socket when to work and when to
 * rest.
 *
 * While all of them rest, what they believe there is must be what the daemon has: the same allocations, of
 * the same bytes, and nothing else; and none of them may have seen a wrong word.
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
  /** How many there are. */
  readonly workers: number;
}

/** What a worker says when it rests. */
export interface Report {
  readonly number: number;
  /** Words that were not as they should be, so far. */
  readonly wrong: number;
  /** Bytes that were looked at. */
  readonly verified: number;
  readonly requests: number;
  /** Sessions that were not the same after a restart. */
  readonly unrestored: number;
  /** Of what it has, what the daemon does not list. */
  readonly missing: number;
  readonly failures: readonly string[];
  readonly allocations: readonly { readonly id: string; readonly bytes: string }[];
  /**
   * Since the last report: from when the connection was lost to the first answer after, in ms of
   * CLOCK_MONOTONIC.
   */
  readonly absences: readonly { readonly from: number; readonly to: number }[];
}

/** What `vkmemctl --json` prints of it. */
interface Listed {
  readonly id: string;
}
interface Status {
  readonly counts: Readonly<Record<string, number>>;
  readonly heaps: readonly Readonly<Record<string, string>>[];
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

  /** Starts so many, of which the first is sandboxed; all are at work when it resolves. */
  static async start(t: Test, booted: Booted, count: number): Promise<Crew> {
    const crew = new Crew(booted, count);
    t.teardown(() => crew.#server.close());
    mkdirSync(booted.path(ORDERS), { recursive: true });
    const path = booted.path(`${ORDERS}/orders.sock`);
    await new Promise<void>((resolve) => crew.#server.listen({ path, writableAll: true }, resolve));
    await booted.systemctl('start', '--no-block', ...crew.units);
    const begun = until('workers that have begun', () => crew.#sockets.size === count || undefined);
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

  /** Has all rest; resolves to what they say. */
  rest(): Promise<Report[]> {
    return this.#order('rest');
  }

  /** They free all that they have, and end. */
  async end(): Promise<void> {
    await this.#order('end');
    await until(
      'units that have ended',
      () => this.units.every((unit) => this.#booted.pids(unit).length === 0) || undefined,
    );
  }

  /**
   * Has all rest, and asserts that nothing is lost, and that all believe the same.
   * @returns what they said.
   */
  async audit(t: Test, what: string): Promise<Report[]> {
    const reports = await this.rest();
    const sum = (column: 'wrong' | 'missing' | 'unrestored' | 'verified' | 'requests') =>
      reports.reduce((total, report) => total + report[column], 0);
    t.strictSame(
      { wrong: sum('wrong'), missing: sum('missing'), unrestored: sum('unrestored') },
      { wrong: 0, missing: 0, unrestored: 0 },
      `${what}: no word is wrong, no allocation lost, each session goes on`,
    );
    t.strictSame(
      reports.flatMap(({ failures }) => failures),
      [],
      `${what}: no request failed`,
    );
    const believed = reports.flatMap(({ allocations }) => allocations);
    // What was freed is free once its last reader has let go.
    const { ids, live, counts } = await until(`${what}: nothing drains`, async () => {
      const found = await this.has();
      return found.counts.drainingAllocations === 0 ? found : undefined;
    });
    t.strictSame(
      ids,
      believed.map(({ id }) => id).sort(),
      `${what}: the daemon has what the workers believe`,
    );
    t.equal(
      live,
      believed.reduce((total, { bytes }) => total + BigInt(bytes), 0n),
      `${what}: of just so many bytes`,
    );
    t.match(counts, { sessions: this.#count, allocations: believed.length }, `${what}: sessions`);
    t.comment(`${what}: ${sum('requests')} requests, ${sum('verified')} bytes verified so far`);
    return reports;
  }

  /** What the daemon has, as an operator sees it. */
  async has(): Promise<{ ids: string[]; live: bigint; counts: Status['counts'] }> {
    const json = async (command: string) => {
      const { status, stdout, stderr } = await this.#booted.vkmemctl('root', command, '--json');
      if (status !== 0) throw new Error(stderr);
      return JSON.parse(stdout);
    };
    const [{ allocations }, { counts, heaps }] = (await Promise.all([json('ls'), json('status')])) as [
      { allocations: Listed[] },
      Status,
    ];
    const live = heaps.reduce((total, heap) => total + BigInt(heap.liveBytes ?? 0), 0n);
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
