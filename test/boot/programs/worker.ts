/**
 * A worker: a program with NAMED memory and memory of its session that works until it is paused: it writes,
 * verifies its own and others' bytes, allocates, claims memory that others named, and frees. Usage: worker.js
 * NUMBER.
 *
 * It receives commands as lines of JSON on a socket (crew.ts): to work with a number of others; to pause, and
 * report its records and findings; or to end. It repeats a request that a restart of the daemon left undone.
 * Every other failure is reported, and fails the test.
 */
import { connect as connectSocket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, connect, type Memory, VkmemError } from '@vkmemd/client';
import type { Order, Report } from '../crew.js';
import { ORDERS } from '../places.js';
import { randomOf } from '../random.js';
import { blocksOf, wordsOf, wrongWordsOfOther } from './pattern.js';
import { Written, type WrittenOptions } from './written.js';

const OWN_BYTES = 1 << 18;
const TEMPORARY_BYTES = 1 << 16;
const SLOTS = 2;
const NAMED_TAG = 1;
const REST_MS = 40;
const WRITTEN_BY_THEN_MS = 30_000;

const number = Number(process.argv[2]);
const random = randomOf(number + 1);
const among = (count: number): number => Math.floor(random() * count);
const monotonic = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;
const nameOf = (worker: number): string => `worker-${worker}`;
const temporaryOf = (worker: number, slot: number): string => `temporary-${worker}-${slot}`;

class Worker {
  readonly #client: Client;
  readonly #own: Written[] = [];
  readonly #temporary: (Written | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #report = { wrong: 0, unrestored: 0, verified: 0, requests: 0, failures: [] as string[] };
  #absences: Report['absences'][number][] = [];
  /** The time since which no request was answered. */
  #lostAt: number | undefined;
  #workers = 0;

  private constructor(client: Client) {
    this.#client = client;
    client.on('reconnecting', () => {
      this.#lostAt ??= monotonic();
    });
    client.on('reconnected', ({ restored }) => {
      if (!restored) this.#report.unrestored += 1;
    });
    client.on('disconnected', (reason) => this.#report.failures.push(`disconnected: ${String(reason)}`));
  }

  static async begin(): Promise<Worker> {
    const client = await connect({ clientName: nameOf(number), runtimeDir: '/run/vkmemd' });
    const worker = new Worker(client);
    for (const name of [nameOf(number), '']) {
      const options = { name, bytes: OWN_BYTES, writer: number, tag: NAMED_TAG };
      worker.#own.push(await worker.#allocate(options));
    }
    return worker;
  }

  /** Works until the next command. */
  async work(workers: number, ordered: AbortSignal): Promise<void> {
    this.#workers = workers;
    const deeds = [
      () => this.#write(),
      () => this.#verify(),
      () => this.#look(),
      () => this.#replace(),
      () => this.#peek(),
    ];
    while (!ordered.aborted) {
      try {
        await deeds[among(deeds.length)]?.();
      } catch (failure) {
        this.#report.failures.push(failure instanceof Error ? String(failure.stack) : String(failure));
      }
      await pause(REST_MS * random());
    }
  }

  /** Verifies everything, and reports its records. */
  async rest(): Promise<Report> {
    this.#verify();
    const held = [...this.#own, ...this.#temporary].filter((written) => written !== undefined);
    const allocations = held.map(({ memory }) => ({ id: memory.id, bytes: String(memory.size) }));
    const listed = await this.#persistently(() => this.#client.list());
    const known = new Set(listed.map(({ id }) => id));
    const missing = allocations.filter(({ id }) => !known.has(id)).length;
    const absences = this.#absences;
    this.#absences = [];
    return { number, ...this.#report, missing, allocations, absences };
  }

  async end(): Promise<void> {
    for (const written of [...this.#own, ...this.#temporary]) {
      await written?.free();
    }
    await this.#client.close();
  }

  #write(): void {
    const written = this.#own[among(this.#own.length)];
    if (written) for (let left = 4; left > 0; left -= 1) written.write(among(written.blocks));
  }

  #verify(): void {
    for (const written of [...this.#own, ...this.#temporary]) {
      this.#report.wrong += written?.wrong ?? 0;
      this.#report.verified += Number(written?.memory.size ?? 0n);
    }
  }

  /** Verifies memory that another worker keeps as long as it runs. */
  async #look(): Promise<void> {
    const other = among(this.#workers);
    const memory = await this.#persistently(() =>
      this.#client.claim({ name: nameOf(other) }, { access: 'ro' }),
    );
    await this.#verifyOther(memory, other, NAMED_TAG, true);
    await this.#persistently(() => memory.release());
  }

  /** Verifies memory that another worker may free at any moment. */
  async #peek(): Promise<void> {
    const [other, slot] = [among(this.#workers), among(SLOTS)];
    let memory: Memory;
    try {
      const name = temporaryOf(other, slot);
      memory = await this.#persistently(() => this.#client.claim({ name }, { access: 'ro' }));
    } catch (failure) {
      if (failure instanceof VkmemError && failure.code === 'NOT_FOUND') return;
      throw failure;
    }
    await this.#verifyOther(memory, other, slot, false);
    await this.#persistently(() => memory.release());
  }

  /** @param all whether all of it was written before it was named. */
  async #verifyOther(memory: Memory, other: number, tag: number, all: boolean): Promise<void> {
    const words = wordsOf(memory.map().bytes);
    for (let at = 0; at < blocksOf(words); at += 1) {
      const end = monotonic() + WRITTEN_BY_THEN_MS;
      let wrong = wrongWordsOfOther(words, at, other, tag);
      while (wrong === undefined && all && monotonic() < end) {
        await pause(1);
        wrong = wrongWordsOfOther(words, at, other, tag);
      }
      if (wrong === undefined && all) wrong = 1;
      this.#report.wrong += wrong ?? 0;
    }
    this.#report.verified += words.byteLength;
  }

  /** Frees the allocation in a slot, or allocates one. */
  async #replace(): Promise<void> {
    const slot = among(SLOTS);
    const there = this.#temporary[slot];
    if (there) {
      this.#temporary[slot] = undefined;
      this.#report.wrong += there.wrong;
      await this.#persistently(() => there.free());
      return;
    }
    const name = random() < 0.5 ? temporaryOf(number, slot) : '';
    const options = { name, bytes: TEMPORARY_BYTES, writer: number, tag: slot };
    this.#temporary[slot] = await this.#allocate(options);
  }

  #allocate(options: WrittenOptions): Promise<Written> {
    const allocate = () => Written.allocate(this.#client, options);
    return this.#persistently(allocate, () => this.#freeUnknown(options.name));
  }

  /** Frees what an allocate made whose answer was lost at two deaths of the daemon: it is not sent a third time. */
  async #freeUnknown(name: string): Promise<void> {
    const { id: session } = this.#client.session;
    const known = new Set([...this.#own, ...this.#temporary].map((written) => written?.memory.id));
    for (const { id, name: found, ownerSessionId, state } of await this.#client.list()) {
      const same = name === '' ? ownerSessionId === session : found === name;
      if (same && state === 'ALLOCATION_STATE_LIVE' && !known.has(id)) await this.#client.free({ id });
    }
  }

  /** Repeats a request until it is answered, where it may be repeated. @param before runs before it is repeated. */
  async #persistently<T>(ask: () => Promise<T>, before?: () => Promise<void>): Promise<T> {
    for (;;) {
      try {
        const answer = await ask();
        this.#report.requests += 1;
        if (this.#lostAt !== undefined) this.#absences.push({ from: this.#lostAt, to: monotonic() });
        this.#lostAt = undefined;
        return answer;
      } catch (failure) {
        const second = failure instanceof VkmemError && failure.code === 'UNAVAILABLE';
        if (!second || failure.metadata.retryable !== 'true') throw failure;
        if (before) await this.#persistently(before);
      }
    }
  }
}

const worker = await Worker.begin();
const socket = connectSocket(`${ORDERS}/orders.sock`);
const say = (report: unknown) => socket.write(`${JSON.stringify(report)}\n`);
say({ number });
let ordered = new AbortController();
let working = Promise.resolve();
for await (const line of createInterface({ input: socket })) {
  const { order, workers } = JSON.parse(line) as Order;
  ordered.abort();
  await working;
  ordered = new AbortController();
  if (order === 'work') working = worker.work(workers, ordered.signal);
  if (order === 'rest') say(await worker.rest());
  if (order === 'end') {
    await worker.end();
    say({ number });
    socket.end();
  }
}
