/** Connections and processes that end together: they are worked on in parts, and others are served meanwhile. */
import { spawn } from 'node:child_process';
import { setImmediate } from 'node:timers/promises';
import { Connection, ExitWatch, FdStream, openPidfd, seqpacketPair, streamPair } from '@vkmemd/proto';
import t from 'tap';
import { openFds, sameFds, until } from './open-fds.js';

const ENDS = 100;
/** Of 2 ms in one turn, ends that take 1 ms each use 2, or 3 where the clock is late. */
const MAX_IN_TURN = 3;

/** The work on one end. */
function busy(): void {
  const begun = process.hrtime.bigint();
  while (process.hrtime.bigint() - begun < 1_000_000n);
}

/** Counts the ends in each turn of the event loop until there are `ENDS`. */
async function turnsOf(ends: () => number): Promise<number[]> {
  const turns: number[] = [];
  for (let before = ends(); before < ENDS; ) {
    await setImmediate();
    const now = ends();
    turns.push(now - before);
    before = now;
  }
  return turns;
}

/** A connection with another at its far end. */
function pair(handlers: { message?(data: Buffer): void; close?(): void }): [Connection, Connection] {
  const [near, far] = seqpacketPair();
  const idle = { message: () => undefined, close: () => undefined };
  return [new Connection(near, { ...idle, ...handlers }), new Connection(far, idle)];
}

for (const [how, unread] of [
  ['close', false],
  ['close without having read', true],
] as const) {
  t.test(`connections ${how} together`, async (t) => {
    const before = openFds();
    let [ends, closed, servedAt] = [0, 0, ENDS];
    const last = () => {
      busy();
      ends += 1;
    };
    const ending = Array.from({ length: ENDS }, () => pair({ message: last, close: () => closed++ }));
    const [live, client] = pair({ message: () => (servedAt = ends) });
    for (const [near, far] of ending) {
      if (unread) near.send(Buffer.from('unread'));
      far.pause();
      far.send(Buffer.from('the last message'));
      far.close();
    }
    client.send(Buffer.from('a request'));
    const turns = await turnsOf(() => ends);
    t.ok(Math.max(...turns) <= MAX_IN_TURN, `ends in each turn: ${turns}`);
    t.ok(servedAt <= MAX_IN_TURN, `a request of another is served after ${servedAt} of ${ENDS}`);
    await until(() => closed === ENDS);
    for (const connection of [live, client]) connection.close();
    await sameFds(t, before);
  });
}

t.test('streams close together', async (t) => {
  const before = openFds();
  let [ends, closed] = [0, 0];
  const data = () => {
    busy();
    ends += 1;
  };
  for (let count = 0; count < ENDS; count += 1) {
    const [near, far] = streamPair();
    new FdStream(near, { data, close: () => closed++ });
    const other = new FdStream(far, { data() {}, close() {} });
    other.send(Buffer.from('the last bytes'));
    other.close();
  }
  const turns = await turnsOf(() => ends);
  t.ok(Math.max(...turns) <= MAX_IN_TURN, `ends in each turn: ${turns}`);
  await until(() => closed === ENDS);
  await sameFds(t, before);
});

t.test('a process that very many watch ends', async (t) => {
  const child = spawn('sleep', ['1000'], { stdio: 'inherit' });
  const before = openFds();
  let ends = 0;
  const ended = () => {
    busy();
    ends += 1;
  };
  const watches = Array.from({ length: ENDS }, () => new ExitWatch(openPidfd(child.pid ?? 0), 1, ended));
  child.kill('SIGKILL');
  const turns = await turnsOf(() => ends);
  t.ok(Math.max(...turns) <= MAX_IN_TURN, `ends in each turn: ${turns}`);
  for (const watch of watches) watch.close();
  await sameFds(t, before);
});

t.test('the ends of one user do not delay those of another', async (t) => {
  const child = spawn('sleep', ['1000'], { stdio: 'inherit' });
  const before = openFds();
  const [many, few] = [1, 2];
  const ended: number[] = [];
  const watch = (uid: number) =>
    new ExitWatch(openPidfd(child.pid ?? 0), uid, () => {
      busy();
      ended.push(uid);
    });
  const watches = [...Array.from({ length: ENDS - 2 }, () => watch(many)), watch(few), watch(few)];
  child.kill('SIGKILL');
  await turnsOf(() => ended.length);
  t.ok(ended.lastIndexOf(few) < 8, `the other user's last end is number ${ended.lastIndexOf(few) + 1}`);
  for (const each of watches) each.close();
  await sameFds(t, before);
});

t.test('what waits for its turn is closed before', async (t) => {
  const before = openFds();
  let [ends, closed] = [0, 0];
  const ending = Array.from({ length: ENDS }, () =>
    pair({
      message() {
        busy();
        ends += 1;
      },
      close: () => closed++,
    }),
  );
  for (const [, far] of ending) {
    far.send(Buffer.from('the last message'));
    far.close();
  }
  while (ends === 0) await setImmediate();
  for (const [near] of ending) near.close();
  await until(() => closed === ENDS);
  t.ok(ends <= MAX_IN_TURN, `${ends} messages were received`);
  await sameFds(t, before);
});
