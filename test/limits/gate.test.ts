/**
 * The gate of a connection: which messages enter, which requests may start, which wait and in which order,
 * and when the connection is read. The test controls when the client reads.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Decoded, type Draft, decode, encode, NOTHING_HELD, VkmemError } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { type Entry, Gate } from 'vkmemd/dist/handoff/gate.js';
import { InFlightFdsPool } from 'vkmemd/dist/limits/in-flight-fds.js';
import { PerTickLimit } from 'vkmemd/dist/limits/per-tick-limit.js';
import { DEFAULT_LIMITS, type Limits } from 'vkmemd/dist/policy/limits.js';
import { tenantOfUid } from 'vkmemd/dist/policy/tenant.js';

type Body = Draft<'ClientMessage'>;

const TENANT = tenantOfUid(1);

/** Requests, indexed by the number of fds that their answers may carry. */
const ASKING: readonly Body[] = [
  { release: {} },
  { claim: { kinds: ['KIND_MAPPABLE', 'KIND_RDMA_ADDRESS'] } },
  { createSignal: {} },
  { allocate: { grantKinds: ['KIND_MAPPABLE', 'KIND_OPAQUE_FD', 'KIND_DMA_BUF'] } },
  { claim: { ticket: 'it says which' } },
];

const messageOf = (body: Body): Decoded<'ClientMessage'> =>
  decode('ClientMessage', encode('ClientMessage', body));

/** A client that has read nothing of what is sent to it until the test resets its counts. */
class Client {
  unreadFds = 0;
  crowded = false;
  nearlyFull = false;
  paused = false;
  resumed = 0;
  readonly pool = new InFlightFdsPool(64);
  readonly ticks = new PerTickLimit(1000);
  readonly gate: Gate;
  #sequence = 0n;

  constructor(t: Test, more: Partial<Limits>) {
    const inFlight = this.pool.join(TENANT);
    if (typeof inFlight === 'string') throw new Error('no room');
    const limits = { ...DEFAULT_LIMITS, ...more };
    const place = {
      tenant: TENANT,
      limits,
      inFlight,
      ticks: this.ticks,
      process: NOTHING_HELD,
      ...NOTHING_HELD,
    };
    this.gate = new Gate(this, place);
    // A poll timer does not keep a process alive; a connection does.
    const alive = setInterval(() => {}, 1000);
    t.teardown(() => clearInterval(alive));
  }

  static greeted(t: Test, more: Partial<Limits> = {}): Client {
    const client = new Client(t, more);
    client.enter({ hello: {} })[Symbol.dispose]();
    return client;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.resumed += 1;
  }

  enter(body: Body, came = 0, permitted = true): Entry {
    this.#sequence += 1n;
    return this.gate.enter(
      messageOf({ sequence: this.#sequence, fdCount: came, ...body }),
      came,
      1,
      permitted,
    );
  }

  /** Enters a request whose answer may carry this many fds. */
  ask(fds: number): Entry {
    return this.enter(ASKING[fds] ?? {});
  }

  /** Sends its answer. */
  send(entry: Entry, fds: number): void {
    this.unreadFds += fds;
    entry[Symbol.dispose]();
  }
}

t.test('requests without credit wait, in order, until every fd has been read', async (t) => {
  const client = Client.greeted(t, { fdsInFlight: 8 });
  const first = client.ask(4);
  const second = client.ask(4);
  t.equal(first.ready, undefined);
  t.equal(second.ready, undefined);
  client.send(first, 4);
  const begun: string[] = [];
  const third = client.ask(3);
  const fourth = client.ask(1);
  const both = [third.ready?.then(() => begun.push('third')), fourth.ready?.then(() => begun.push('fourth'))];
  t.equal(client.ask(0).ready, undefined, 'a request without fds does not wait');
  client.send(second, 4);
  await sleep(20);
  t.strictSame(begun, []);
  t.equal(client.gate.waiting, 2);
  client.unreadFds = 0;
  await Promise.all(both);
  t.strictSame(begun, ['third', 'fourth']);
  client.send(third, 3);
  client.send(fourth, 1);
  client.unreadFds = 0;
  await sleep(300);
  t.equal(client.pool.promised, 4, 'borrowed credit is returned when the client has read');
});

t.test('parts take the credit that is left, each in its turn', async (t) => {
  const client = Client.greeted(t, { fdsInFlight: 4 });
  const many = client.enter({ claimMany: { requests: [] } });
  t.equal(many.ready, undefined, 'the request needs none');
  const first = await many.part(253);
  t.equal(first.fds, 20, 'its own four, and a quarter of the capacity');
  const claim = client.ask(1);
  t.ok(claim.ready, 'other requests wait meanwhile');
  const next = many.part(253);
  client.unreadFds += first.fds;
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await sleep(20);
  t.equal(client.gate.waiting, 2);
  client.unreadFds = 0;
  await claim.ready;
  t.equal((await next).fds, 19, 'the next part has what the claim leaves');
  client.send(claim, 1);
  (await next)[Symbol.dispose]();
  client.send(many, 0);
  client.unreadFds = 0;
  const closed = client.enter({ allocateMany: { requests: [] } });
  client.gate[Symbol.dispose]();
  await t.rejects(closed.part(1), { code: 'UNAVAILABLE' }, 'none after the end');
  closed[Symbol.dispose]();
});

t.test('a client whose limit is less than one answer is served one answer at a time', async (t) => {
  const client = Client.greeted(t, { fdsInFlight: 1 });
  const four = client.ask(4);
  t.equal(four.ready, undefined, 'a larger answer may start when no other is in flight');
  client.send(four, 4);
  const waits = client.ask(1);
  t.ok(waits.ready);
  client.unreadFds = 0;
  await waits.ready;
  const next = client.ask(1);
  t.ok(next.ready, 'and only one of them at a time');
  client.send(waits, 1);
  await sleep(20);
  t.equal(client.gate.waiting, 1);
  client.unreadFds = 0;
  await sleep(300);
  t.equal(client.gate.waiting, 0);
  client.send(next, 1);
  client.gate[Symbol.dispose]();
});

t.test('while the socket is full, no request starts whose answer would find no space', async (t) => {
  const client = Client.greeted(t);
  const [one, two] = [client.ask(1), client.ask(0)];
  t.equal(one.ready, undefined);
  client.crowded = true;
  const waits = client.ask(1);
  t.ok(waits.ready);
  t.notOk(client.paused);
  two[Symbol.dispose]();
  t.equal(client.paused, true, 'the client is not read while an answer with fds is in progress');
  const before = client.resumed;
  client.send(one, 1);
  t.equal(client.paused, false, 'without such an answer in progress it is read again');
  t.ok(client.resumed > before);
  client.crowded = false;
  await waits.ready;
  client.send(waits, 1);
});

t.test('a client is not read while half of its socket is unread', async (t) => {
  const client = Client.greeted(t);
  const [one, two] = [client.ask(0), client.ask(0)];
  client.crowded = true;
  one[Symbol.dispose]();
  t.equal(client.paused, false, 'a quarter has room for answers without fds');
  client.nearlyFull = true;
  two[Symbol.dispose]();
  t.equal(client.paused, true);
  await sleep(20);
  t.equal(client.paused, true);
  client.nearlyFull = false;
  await sleep(300);
  t.equal(client.paused, false);
});

t.test('a paused client is read again after it has read, without another event', async (t) => {
  const client = Client.greeted(t);
  const [one, two] = [client.ask(1), client.ask(0)];
  client.crowded = true;
  two[Symbol.dispose]();
  t.equal(client.paused, true);
  await sleep(20);
  t.equal(client.paused, true);
  client.crowded = false;
  await sleep(300);
  t.equal(client.paused, false);
  client.send(one, 1);
});

t.test('a disposed gate rejects waiting requests and stops reading', async (t) => {
  const client = Client.greeted(t, { fdsInFlight: 4 });
  const one = client.ask(4);
  t.equal(one.ready, undefined);
  const waits = client.ask(1);
  const finished = client.gate.finish(new VkmemError('UNAVAILABLE', 'over'));
  t.equal(client.paused, true);
  await t.rejects(waits.ready ?? Promise.resolve(), { code: 'UNAVAILABLE', reason: 'over' });
  const late = client.ask(1);
  await t.rejects(late.ready ?? Promise.resolve(), { code: 'UNAVAILABLE', reason: 'over' });
  for (const entry of [one, waits, late]) {
    t.ok(client.gate.underWay > 0);
    entry[Symbol.dispose]();
    entry[Symbol.dispose]();
  }
  await finished;
  t.equal(client.gate.underWay, 0, 'a second disposal has no effect');
  t.equal(client.gate.waiting, 0);
  t.equal(client.paused, true, 'the client is not read any more');
  const gone = Client.greeted(t, { fdsInFlight: 4 });
  t.equal(gone.ask(4).ready, undefined);
  const never = gone.ask(2).ready;
  gone.gate[Symbol.dispose]();
  await t.rejects(never ?? Promise.resolve(), {
    code: 'UNAVAILABLE',
    reason: 'The client has disconnected.',
  });
});

t.test('a claim that waits for others takes credit when its wait ends', async (t) => {
  const client = Client.greeted(t, { fdsInFlight: 4 });
  const claim = client.enter({ claim: { kinds: ['KIND_MAPPABLE'], waitMs: 1000 } });
  t.equal(claim.ready, undefined);
  const other = client.ask(4);
  t.equal(other.ready, undefined, 'it holds no credit while it waits');
  const more = claim.more(1);
  t.ok(more);
  client.send(other, 0);
  await more;
  const waits = client.ask(4).ready;
  t.ok(waits, 'and needs it afterwards');
  t.equal(claim.more(0), undefined);
  client.gate[Symbol.dispose]();
  await t.rejects(waits ?? Promise.resolve(), { code: 'UNAVAILABLE' });
});

t.test('an import that is not permitted takes no credit', async (t) => {
  const client = Client.greeted(t, { fdsInFlight: 4 });
  t.equal(client.ask(4).ready, undefined);
  const request: Body = { import: { grantKinds: ['KIND_MAPPABLE'] } };
  t.equal(client.enter(request, 1, false).ready, undefined);
  const permitted = client.enter(request, 1).ready;
  t.ok(permitted);
  client.gate[Symbol.dispose]();
  await t.rejects(permitted ?? Promise.resolve(), { code: 'UNAVAILABLE' });
});

t.test('invalid sequence numbers, fd counts and Hello are rejected', async (t) => {
  const refused = (client: Client, body: Body, came: number, reason: RegExp) =>
    t.throws(() => client.enter(body, came), { code: 'PROTOCOL_ERROR', reason });
  refused(new Client(t, {}), { release: {} }, 0, /release was sent before Hello/);
  refused(new Client(t, {}), {}, 0, /body .* is not known to this daemon/);
  refused(new Client(t, {}), { hello: {} }, 1, /fd_count is 1, 1 arrived; hello carries 0/);
  refused(Client.greeted(t), { hello: {} }, 0, /Hello was sent twice/);
  refused(Client.greeted(t), { import: {} }, 0, /fd_count is 0, 0 arrived; import carries 1/);
  refused(Client.greeted(t), { entrust: {}, fdCount: 0 }, 1, /fd_count is 0, 1 arrived; entrust carries 1/);
  refused(Client.greeted(t), { release: {}, sequence: 1n }, 0, /Sequence 1 is not greater than .* 1\./);
  refused(new Client(t, {}), { hello: {}, sequence: 0n }, 0, /Sequence 0 is not greater than .* 0\./);
  const client = Client.greeted(t);
  client.enter({ entrust: {} }, 1)[Symbol.dispose]();
  client.enter({ hello: { resume: true }, sequence: 1n })[Symbol.dispose]();
  refused(client, { release: {}, sequence: 1n }, 0, /Sequence 1 is not greater than .* 1\./);
});

t.test('reading pauses at the limits of requests, rate and requests per tick', async (t) => {
  const busy = Client.greeted(t, { messagesInFlight: 2 });
  const one = busy.ask(0);
  t.equal(busy.paused, false);
  const two = busy.ask(0);
  t.equal(busy.paused, true, 'the maximum number of requests is in progress');
  one[Symbol.dispose]();
  t.equal(busy.paused, false);
  two[Symbol.dispose]();

  const fast = Client.greeted(t, { requestsPerSecond: 100, requestBurst: 3 });
  fast.ask(0);
  t.equal(fast.paused, false);
  fast.ask(0);
  t.equal(fast.paused, true, 'its rate is used up');
  await sleep(40);
  t.equal(fast.paused, false);

  const many = Client.greeted(t);
  await sleep(10);
  for (let asked = 0; asked < 999; asked += 1) many.ask(0)[Symbol.dispose]();
  t.equal(many.paused, false);
  many.ask(0)[Symbol.dispose]();
  t.equal(many.paused, true, 'its user has reached the limit per tick');
  await sleep(10);
  t.equal(many.paused, false);
});
