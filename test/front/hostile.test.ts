/**
 * A front that breaks the protocol of the link, or uses all that it permits: the core serves the handoff
 * socket, and starts a new front. Messages that mean nothing, but break no rule, are ignored.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { CONTROL_SOCKET, encode } from '@vkmemd/proto';
import t from 'tap';
import { Play, type PlayedFront } from './played.js';
import { someFd } from './relay.js';
import { sleep, until } from './support.js';

const PART = Buffer.alloc(60 * 1024);
const GET = 'GetBudget';

t.setTimeout(180_000);

/** What ends a front: name -> [what it sends, given a caller; what the log says]. */
const BREACHES: Readonly<Record<string, readonly [(front: PlayedFront, caller: bigint) => void, RegExp]>> = {
  'an id is reused': [
    (front, caller) => {
      front.send({ id: 7n, call: { caller, method: GET } });
      front.send({ id: 7n, call: { caller, method: GET } });
    },
    /broke the protocol: call 7 came after call 7/,
  ],
  'an id decreases': [
    (front, caller) => {
      front.send({ id: 7n, call: { caller, method: GET } });
      front.send({ id: 3n, call: { caller, method: GET } });
    },
    /broke the protocol: call 3 came after call 7/,
  ],
  'a call begins within the parts of another': [
    (front, caller) => {
      front.send({ id: 1n, call: { caller, method: GET, request: PART, more: true } });
      front.send({ id: 2n, call: { caller, method: GET } });
    },
    /broke the protocol: call 2 began within call 1/,
  ],
  'the parts are larger than a request may be': [
    (front, caller) => {
      for (let part = 0; part < 5; part += 1) {
        front.send({ id: 1n, call: { caller, method: GET, request: PART, more: true } });
      }
    },
    /broke the protocol: call 1 is too large/,
  ],
  'a part is empty': [
    (front, caller) => front.send({ id: 1n, call: { caller, method: GET, more: true } }),
    /broke the protocol: a part of call 1 is short/,
  ],
  'bytes that are no message': [
    (front) => front.sendBytes(Buffer.from('\xff\xff\xff')),
    /the front was lost/,
  ],
  'a message without a body': [(front) => front.send({ id: 1n }), /a message without a body/],
  'an fd': [(front) => front.send({ pong: {} }, [someFd()]), /the front was lost/],
  'an fd with a call': [
    (front, caller) => front.send({ id: 1n, call: { caller, method: GET } }, [someFd()]),
    /the front was lost/,
  ],
  'a message of the other direction': [
    (front) => front.sendBytes(encode('ToFront', { id: 1n, health: { deviceServes: true } })),
    /a message without a body/,
  ],
};

for (const [name, [breach, why]] of Object.entries(BREACHES)) {
  t.test(`a breach: ${name}`, async (t) => {
    const play = await Play.begin(t);
    const { number } = await play.connect();
    breach(play.front, number);
    await play.assertLost(why);
    await play.end();
  });
}

t.test('a front that answers no pings is lost', async (t) => {
  const play = await Play.begin(t);
  await play.connect();
  play.front.alive = false;
  await play.assertLost(/it did not answer 3 pings/);
  await play.end();
});

t.test('a front that has no processor is waited for, and one that has used much is lost', async (t) => {
  const play = await Play.begin(t);
  await play.connect();
  const { front } = play;
  const LONGER_MS = 4500;
  let ranMs = 0;
  front.scheduled = () => ({ runnable: true, ranMs });
  front.alive = false;
  await sleep(LONGER_MS);
  t.ok(play.played, 'it did not run');
  front.begin();
  front.alive = false;
  await sleep(LONGER_MS);
  t.ok(play.played, 'nor the next time');
  ranMs = 2000;
  await play.assertLost(/it did not answer 3 pings/);
  await play.end();
});

t.test('a caller ends with the process that connected, whatever the front says', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const connecting = `
    const socket = require('node:net').connect(process.argv[1]);
    process.stdin.resume().once('end', () => process.exit());`;
  const path = join(play.runtimeDir, CONTROL_SOCKET);
  const client = spawn(process.execPath, ['-e', connecting, path], { stdio: ['pipe', 'inherit', 'inherit'] });
  await until('the caller', () => front.callers.length > 0);
  const [caller] = front.callers;
  const number = caller?.number ?? 0n;
  t.equal(await front.outcome(front.call(number, GET)), 'served');
  client.stdin.end();
  await until('the core ends it', () => front.ended.includes(number));
  const late = front.call(number, GET);
  const other = await play.connect();
  t.equal(await front.outcome(front.call(other.number, GET)), 'served', 'another caller');
  t.strictSame(front.answersOf(late), [], 'nothing is answered in its name');
  if (caller) front.hangUp(caller);
  await play.end();
});

t.test('numbers of callers that are unknown, or gone, are answered by nothing', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const [one, other] = [await play.connect(), await play.connect()];
  front.hangUp(one);
  const ignored = [0n, 999n, 2n ** 64n - 1n, one.number].map((number) => front.call(number, GET));
  for (const id of ignored) {
    front.send({ id, cancel: {} });
    front.send({ id, credit: { answers: 0xffff_ffff } });
  }
  front.send({ hangup: { number: 999n } });
  front.send({ hangup: { number: one.number } });
  t.equal(await front.outcome(front.call(other.number, GET)), 'served', 'a caller that is connected');
  for (const id of ignored) t.strictSame(front.answersOf(id), []);
  t.ok(play.played, 'it is still the same front');
  await play.end();
});

t.test('pongs and credit that nothing asked for', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const { number } = await play.connect();
  const watch = front.call(number, 'WatchBudget');
  for (let i = 0; i < 10_000; i += 1) {
    front.send({ id: BigInt(i), pong: {} });
    front.send({ id: watch, credit: { answers: 0xffff_ffff } });
    if (i % 500 === 0) await front.room();
  }
  await until('the watch begins', () => front.answersOf(watch).length > 0);
  t.equal(await front.outcome(front.call(number, GET)), 'served');
  t.ok(play.played);
  await play.end();
});
