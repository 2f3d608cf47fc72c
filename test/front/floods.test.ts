/**
 * A front that asks for all at once, or takes no answers: the core reads no more than it can serve, takes
 * turns between tenants, and keeps few bytes.
 */
import { connect } from 'node:net';
import { encode } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { HandoffWire } from '../support/handoff-wire.js';
import { Play, type PlayedCaller } from './played.js';
import { sleep, until } from './support.js';

const CALLS = 10_000;
/** Calls of a connection at a time. */
const MAX_OF_CALLER = 64;
const CREDIT = 8;
/** What this process, which is the core too, may grow by: what is sent is much more. */
const MAX_GROWTH = 256 << 20;
const kinds = ['KIND_MAPPABLE'] as const;

t.setTimeout(180_000);

/** Asserts that a session is served meanwhile. */
async function claiming(t: Test, play: Play, work: () => Promise<void>): Promise<void> {
  const wire = await HandoffWire.open(play.runtimeDir);
  let [over, served, longest] = [false, 0, 0];
  const asking = (async () => {
    for (; !over; served += 1) {
      const began = performance.now();
      await wire.ask({ getStatus: {} });
      longest = Math.max(longest, performance.now() - began);
      await sleep(1);
    }
  })();
  await work();
  over = true;
  await asking;
  wire.close();
  t.ok(served > 0, `${served} requests of the handoff socket were served meanwhile`);
  t.comment(`figure: the longest waited ${longest.toFixed(1)} ms, in the process that sends the flood`);
}

t.test('10 000 calls at once on one caller', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const { number } = await play.connect();
  await claiming(t, play, async () => {
    const ids = Array.from({ length: CALLS }, () => front.call(number, 'GetBudget'));
    await until('all are answered', () => front.answers.length === CALLS, 60_000);
    const outcomes = new Map<string, number>();
    for (const { answer } of front.answers) {
      const outcome = answer.status ? answer.status.message.replace(/\d+/g, 'N') : 'served';
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    t.ok((outcomes.get('served') ?? 0) >= MAX_OF_CALLER, 'those within the limit are served');
    t.equal(new Set(front.answers.map(({ id }) => id)).size, ids.length, 'each is answered once');
    t.strictSame(
      [...outcomes.keys()].filter((one) => !/^served$|which is the limit|in N ms/.test(one)),
      [],
    );
  });
  t.ok(play.played);
  await play.end();
});

t.test('10 000 calls at once on many callers, of 600 MiB', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const callers: PlayedCaller[] = [];
  while (callers.length < 100) callers.push(await play.connect());
  // An unknown field, which is ignored.
  const request = Buffer.concat([Buffer.from([0xfa, 0x07, 0xfc, 0xdf, 0x03]), Buffer.alloc(61_436)]);
  const before = process.memoryUsage().rss;
  let peak = 0;
  await claiming(t, play, async () => {
    for (let index = 0; index < CALLS; index += 1) {
      front.call(callers[index % callers.length]?.number ?? 0n, 'GetStatus', { request });
      if (index % 64 === 0) await front.room();
      peak = Math.max(peak, process.memoryUsage.rss());
    }
    await until('all are answered', () => front.answers.length === CALLS, 60_000);
  });
  const served = front.answers.filter(({ answer }) => !answer.status).length;
  t.ok(served > CALLS / 2, `${served} are served`);
  t.ok(peak - before < MAX_GROWTH, `this process has grown by ${(peak - before) >> 20} MiB`);
  await play.end();
});

t.test('tenants take turns', async (t) => {
  const play = await Play.begin(t, { adminListen: ['127.0.0.1:0'] });
  const { front } = play;
  const { number } = await play.connect();
  const client = connect(Number(play.tcp?.split(':')[1]), '127.0.0.1');
  await until('the other caller', () => front.callers.length === 2);
  const other = front.callers[1]?.number ?? 0n;
  for (let index = 0; index < MAX_OF_CALLER; index += 1) front.call(number, 'GetStatus');
  const late = front.call(other, 'GetStatus');
  await until('all are answered', () => front.answers.length === MAX_OF_CALLER + 1);
  const place = front.answers.findIndex(({ id }) => id === late);
  t.ok(place < MAX_OF_CALLER, `the only call of another tenant is answer ${place + 1}`);
  client.destroy();
  await play.end();
});

/** Makes allocations. @returns frees them. */
async function allocations(play: Play, count: number): Promise<() => Promise<void>> {
  const wire = await HandoffWire.open(play.runtimeDir);
  for (let index = 0; index < count; index += 1) {
    const name = `one-${index}-${'x'.repeat(110)}`;
    await wire.ask({ allocate: { sizeBytes: 4096n, kinds, name } });
  }
  return async () => {
    for (let index = 0; index < count; index += 1) {
      await wire.ask({ free: { allocation: { name: `one-${index}-${'x'.repeat(110)}` } } });
    }
    wire.close();
  };
}

t.test('pages whose answers are not taken', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const free = await allocations(play, 500);
  const { number } = await play.connect();
  const page = { request: encode('ListAllocationsRequest', { pageSize: 500 }) };
  const lists = Array.from({ length: 16 }, () => front.call(number, 'ListAllocations', page));
  for (const id of lists) t.equal(await front.outcome(id), 'served', 'the whole page, without any credit');
  for (const id of lists) {
    const parts = front.answersOf(id).length;
    t.ok(parts > 1 && parts <= CREDIT, `${parts} parts`);
  }
  await free();
  await play.end();
});

t.test('answers that no front reads', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const callers = await Promise.all([play.connect()]);
  front.pause();
  const number = callers[0]?.number ?? 0n;
  // Each is refused, or answered, with some hundred bytes.
  const call = encode('ToCore', { id: 1n, call: { caller: number, method: 'Nothing' } });
  t.ok(call.length > 0);
  for (let index = 0; play.played && index < 100_000; index += 1) {
    front.call(number, 'Nothing');
    if (index % 64 === 0) await Promise.race([front.room(), until('it is lost', () => !play.played)]);
  }
  await play.assertLost(/the front was lost/);
  await play.end();
});
