/**
 * The supervisor holds what its child stored, whatever ends the child, and releases it on request.
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
import { type Begun, startSupervisor } from './support.js';

const sorted = ({ inherited }: Begun) => [...inherited].sort();

t.test('what was stored is inherited, by name, however the child ended', async (t) => {
  const supervisor = startSupervisor(t);
  const first = await supervisor.begun();
  t.match(first, { inherited: [], capacity: 16384, left: [] });
  t.equal(first.mine, undefined);
  await supervisor.order({ store: ['one', ['a']], settle: true });
  await supervisor.order({ store: ['many', ['b', 'c', 'd']] });
  process.kill(first.pid, 'SIGKILL');
  const second = await supervisor.begun();
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
  const third = await supervisor.begun();
  t.strictSame(sorted(third), all, 'again, without being stored again');
  await supervisor.order({ restoreAs: 'other', settle: true });
  await supervisor.order({ remove: 'many' });
  await supervisor.order({ remove: 'never' });
  await supervisor.order({ exit: 0 });
  const fourth = await supervisor.begun();
  t.strictSame(sorted(fourth), [['one', 'a']], 'one file is stored once; what was removed is gone');
  await supervisor.order({ remove: 'one', settle: true });
  await supervisor.order({ exit: 3 });
  t.strictSame((await supervisor.begun()).inherited, []);
  supervisor.process.kill('SIGTERM');
  t.strictSame(
    await supervisor.ended,
    { code: 143, signal: null },
    'the status of its child, which knows no SIGTERM',
  );
});

t.test('what was stored just before the end is inherited', async (t) => {
  const supervisor = startSupervisor(t);
  await supervisor.begun();
  const retained: [string, string][] = [];
  for (let round = 0; round < 5; round += 1) {
    await supervisor.order({ store: [`n${round}`, ['x', 'y']], thenDie: true });
    retained.push([`n${round}`, 'x'], [`n${round}`, 'y']);
    t.strictSame(sorted(await supervisor.begun()), retained);
  }
});

t.test('1000 fds, and no fd more than those', async (t) => {
  const supervisor = startSupervisor(t, { max: 1000 });
  const first = await supervisor.begun();
  const before = supervisor.fds();
  const texts = Array.from({ length: 250 }, (_, at) => `t${at}`);
  for (const name of ['a', 'b', 'c', 'd']) await supervisor.order({ store: [name, texts], settle: true });
  t.equal(supervisor.fds(), before + 1000);
  await t.rejects(supervisor.order({ store: ['e', ['x']] }), /TOO_MANY|no more than 1000|descriptors left/);
  process.kill(first.pid, 'SIGKILL');
  const second = await supervisor.begun();
  t.equal(second.inherited.length, 1000);
  t.strictSame(
    sorted(second),
    ['a', 'b', 'c', 'd'].flatMap((name) => texts.map((text) => [name, text])).sort(),
  );
  for (const name of ['a', 'b', 'c', 'd']) await supervisor.order({ remove: name, settle: true });
  t.equal(supervisor.fds(), before, 'nothing is left');
});

t.test('a supervisor that is busy is waited for', async (t) => {
  const supervisor = startSupervisor(t);
  const first = await supervisor.begun();
  supervisor.process.kill('SIGSTOP');
  const queue = Number(readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'utf8'));
  const names = Array.from({ length: queue + 30 }, (_, at) => `n${at}`);
  for (const name of names) supervisor.send({ store: [name, [name]] });
  let done = 0;
  const count = (said: Record<string, unknown>) => {
    if (said.done) done += 1;
    return said;
  };
  await supervisor.next((said) => (count(said).done ? true : undefined));
  process.kill(first.pid, 'SIGHUP');
  await supervisor.next((said) => (count(said).heard ? true : undefined));
  t.ok(done < names.length, `${done} found room, and the child goes on`);
  supervisor.process.kill('SIGCONT');
  await supervisor.next((said) => (count(said) && done === names.length ? true : undefined));
  process.kill(first.pid, 'SIGKILL');
  const second = await supervisor.begun();
  t.strictSame(sorted(second), names.map((name) => [name, name]).sort());
});

t.test('a listening socket: who connects meanwhile waits', async (t) => {
  const supervisor = startSupervisor(t, { firstDelayMs: 300 });
  const first = await supervisor.begun();
  const path = join(temporaryFolder(t), 'socket');
  await supervisor.order({ listen: [path, 'handoff'] });
  process.kill(first.pid, 'SIGKILL');
  const clients = Array.from({ length: 20 }, () => connect(path));
  await Promise.all(clients.map((client) => once(client, 'connect')));
  const second = await supervisor.begun();
  t.match(second.inherited, [['handoff', 'not memory']]);
  await supervisor.order({ serve: 'handoff' });
  const answers = await Promise.all(clients.map((client) => text(client)));
  t.strictSame(
    answers,
    clients.map(() => `served by ${second.pid}`),
    'and is served by the next',
  );
});

t.test('nobody else is heard', async (t) => {
  const supervisor = startSupervisor(t);
  await supervisor.begun();
  const before = supervisor.fds();
  const sender = new DatagramSender(supervisor.address);
  const fd = new OwnedFd(openSync('/dev/null', 'r'), 'test');
  t.ok(sender.send(Buffer.from('FDSTORE=1\nFDNAME=mine'), [fd]));
  await until(() => supervisor.logged(/somebody else/).length === 1);
  t.match(supervisor.logged(/somebody else/), [{ sender: { pid: process.pid } }]);
  await until(() => supervisor.fds() === before);
  t.pass('what came is closed');
  // Nor what the child says that means nothing.
  await supervisor.order({ notify: 'FDNAME=x\nNONSENSE\n=\nUNKNOWN=1', settle: true });
  await supervisor.order({ notify: `X=${'x'.repeat(5000)}`, settle: true });
  t.equal(supervisor.logged(/did not arrive whole/).length, 1);
  t.equal(supervisor.fds(), before);
  fd.close();
  sender.close();
});
