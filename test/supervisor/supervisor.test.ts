/**
 * The keeper holds what its child stored, whatever ends the child, and lets go of it when it is told to.
 */
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DatagramSender, OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { until } from '../native/open-fds.js';
import { temporaryFolder } from '../support/daemon.js';
import { type Begun, startKeeper } from './support.js';

const sorted = ({ kept }: Begun) => [...kept].sort();

t.test('what was stored is handed back, by name, however the child ended', async (t) => {
  const keeper = startKeeper(t);
  const first = await keeper.begun();
  t.match(first, { kept: [], capacity: 16384, left: [] });
  t.equal(first.mine, undefined);
  await keeper.order({ store: ['one', ['a']], settle: true });
  await keeper.order({ store: ['many', ['b', 'c', 'd']] });
  process.kill(first.pid, 'SIGKILL');
  const second = await keeper.begun();
  const all = [
    ['many', 'b'],
    ['many', 'c'],
    ['many', 'd'],
    ['one', 'a'],
  ];
  t.strictSame(sorted(second), all);
  t.equal(second.mine, true, 'LISTEN_PID is its own');
  t.not(second.pid, first.pid);

  process.kill(second.pid, 'SIGABRT');
  const third = await keeper.begun();
  t.strictSame(sorted(third), all, 'again, without being stored again');
  await keeper.order({ again: 'other', settle: true });
  await keeper.order({ remove: 'many' });
  await keeper.order({ remove: 'never' });
  await keeper.order({ exit: 0 });
  const fourth = await keeper.begun();
  t.strictSame(sorted(fourth), [['one', 'a']], 'one file is kept once; what was removed is gone');
  await keeper.order({ remove: 'one', settle: true });
  await keeper.order({ exit: 3 });
  t.strictSame((await keeper.begun()).kept, []);
  keeper.process.kill('SIGTERM');
  t.strictSame(
    await keeper.ended,
    { code: 143, signal: null },
    'the status of its child, which knows no SIGTERM',
  );
});

t.test('what was stored just before the end is kept', async (t) => {
  const keeper = startKeeper(t);
  await keeper.begun();
  const kept: [string, string][] = [];
  for (let round = 0; round < 5; round += 1) {
    await keeper.order({ store: [`n${round}`, ['x', 'y']], thenDie: true });
    kept.push([`n${round}`, 'x'], [`n${round}`, 'y']);
    t.strictSame(sorted(await keeper.begun()), kept);
  }
});

t.test('1000 fds, and no fd more than those', async (t) => {
  const keeper = startKeeper(t, { max: 1000 });
  const first = await keeper.begun();
  const before = keeper.fds();
  const texts = Array.from({ length: 250 }, (_, at) => `t${at}`);
  for (const name of ['a', 'b', 'c', 'd']) await keeper.order({ store: [name, texts], settle: true });
  t.equal(keeper.fds(), before + 1000);
  await t.rejects(keeper.order({ store: ['e', ['x']] }), /TOO_MANY|no more than 1000|descriptors to spare/);
  process.kill(first.pid, 'SIGKILL');
  const second = await keeper.begun();
  t.equal(second.kept.length, 1000);
  t.strictSame(
    sorted(second),
    ['a', 'b', 'c', 'd'].flatMap((name) => texts.map((text) => [name, text])).sort(),
  );
  for (const name of ['a', 'b', 'c', 'd']) await keeper.order({ remove: name, settle: true });
  t.equal(keeper.fds(), before, 'nothing is left');
});

t.test('a keeper that is busy is waited for', async (t) => {
  const keeper = startKeeper(t);
  const first = await keeper.begun();
  keeper.process.kill('SIGSTOP');
  const queue = Number(readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'utf8'));
  const names = Array.from({ length: queue + 30 }, (_, at) => `n${at}`);
  for (const name of names) keeper.tell({ store: [name, [name]] });
  let done = 0;
  const count = (said: Record<string, unknown>) => {
    if (said.done) done += 1;
    return said;
  };
  await keeper.next((said) => (count(said).done ? true : undefined));
  process.kill(first.pid, 'SIGHUP');
  await keeper.next((said) => (count(said).heard ? true : undefined));
  t.ok(done < names.length, `${done} found room, and the child goes on`);
  keeper.process.kill('SIGCONT');
  await keeper.next((said) => (count(said) && done === names.length ? true : undefined));
  process.kill(first.pid, 'SIGKILL');
  const second = await keeper.begun();
  t.strictSame(sorted(second), names.map((name) => [name, name]).sort());
});

t.test('a listening socket: who connects meanwhile waits', async (t) => {
  const keeper = startKeeper(t, { firstDelayMs: 300 });
  const first = await keeper.begun();
  const path = join(temporaryFolder(t), 'socket');
  await keeper.order({ listen: [path, 'handoff'] });
  process.kill(first.pid, 'SIGKILL');
  const clients = Array.from({ length: 20 }, () => connect(path));
  await Promise.all(clients.map((client) => once(client, 'connect')));
  const second = await keeper.begun();
  t.match(second.kept, [['handoff', 'not memory']]);
  await keeper.order({ serve: 'handoff' });
  const answers = await Promise.all(clients.map((client) => text(client)));
  t.strictSame(
    answers,
    clients.map(() => `served by ${second.pid}`),
    'and is served by the next',
  );
});

t.test('nobody else is heard', async (t) => {
  const keeper = startKeeper(t);
  await keeper.begun();
  const before = keeper.fds();
  const sender = new DatagramSender(keeper.address);
  const fd = new OwnedFd(openSync('/dev/null', 'r'), 'test');
  t.ok(sender.send(Buffer.from('FDSTORE=1\nFDNAME=mine'), [fd]));
  await until(() => keeper.logged(/somebody else/).length === 1);
  t.match(keeper.logged(/somebody else/), [{ sender: { pid: process.pid } }]);
  await until(() => keeper.fds() === before);
  t.pass('what came is closed');
  // Nor what the child says that means nothing.
  await keeper.order({ notify: 'FDNAME=x\nNONSENSE\n=\nUNKNOWN=1', settle: true });
  await keeper.order({ notify: `X=${'x'.repeat(5000)}`, settle: true });
  t.equal(keeper.logged(/did not arrive whole/).length, 1);
  t.equal(keeper.fds(), before);
  fd.close();
  sender.close();
});
