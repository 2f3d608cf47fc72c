/**
 * The supervisor keeps the fds that its child stored, however the child ends, and releases them on request.
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

t.test('stored fds are inherited, by name, however the child ended', async (t) => {
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
  t.strictSame(sorted(fourth), [['one', 'a']], 'a file is stored once; a removed one is gone');
  await supervisor.order({ remove: 'one', settle: true });
  await supervisor.order({ exit: 3 });
  t.strictSame((await supervisor.begun()).inherited, []);
  supervisor.process.kill('SIGTERM');
  t.strictSame(
    await supervisor.ended,
    { code: 143, signal: null },
    'the exit status of its child, which does not handle SIGTERM',
  );
});

t.test('fds stored immediately before the end are inherited', async (t) => {
  const supervisor = startSupervisor(t);
  await supervisor.begun();
  const retained: [string, string][] = [];
  for (let round = 0; round < 5; round += 1) {
    await supervisor.order({ store: [`n${round}`, ['x', 'y']], thenDie: true });
    retained.push([`n${round}`, 'x'], [`n${round}`, 'y']);
    t.strictSame(sorted(await supervisor.begun()), retained);
  }
});

t.test('1000 fds are stored, and no additional fd', async (t) => {
  const supervisor = startSupervisor(t, { max: 1000 });
  const first = await supervisor.begun();
  const before = supervisor.fds();
  const texts = Array.from({ length: 250 }, (_, at) => `t${at}`);
  for (const name of ['a', 'b', 'c', 'd']) await supervisor.order({ store: [name, texts], settle: true });
  t.equal(supervisor.fds(), before + 1000);
  await t.rejects(
    supervisor.order({ store: ['e', ['x']] }),
    /TOO_MANY|no more than 1000|descriptors are left/,
  );
  process.kill(first.pid, 'SIGKILL');
  const second = await supervisor.begun();
  t.equal(second.inherited.length, 1000);
  t.strictSame(
    sorted(second),
    ['a', 'b', 'c', 'd'].flatMap((name) => texts.map((text) => [name, text])).sort(),
  );
  for (const name of ['a', 'b', 'c', 'd']) await supervisor.order({ remove: name, settle: true });
  t.equal(supervisor.fds(), before, 'no fd is left');
});

t.test('a busy supervisor is waited for', async (t) => {
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
  t.ok(done < names.length, `${done} fit, and the child continues`);
  supervisor.process.kill('SIGCONT');
  await supervisor.next((said) => (count(said) && done === names.length ? true : undefined));
  process.kill(first.pid, 'SIGKILL');
  const second = await supervisor.begun();
  t.strictSame(sorted(second), names.map((name) => [name, name]).sort());
});

t.test('clients of a stored listening socket wait while no child runs', async (t) => {
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
    'and are served by the next child',
  );
});

t.test('messages of other processes are ignored', async (t) => {
  const supervisor = startSupervisor(t);
  await supervisor.begun();
  const before = supervisor.fds();
  const sender = new DatagramSender(supervisor.address);
  const fd = new OwnedFd(openSync('/dev/null', 'r'), 'test');
  t.ok(sender.send(Buffer.from('FDSTORE=1\nFDNAME=mine'), [fd]));
  await until(() => supervisor.logged(/a notification from another process/).length === 1);
  t.match(supervisor.logged(/a notification from another process/), [{ sender: { pid: process.pid } }]);
  await until(() => supervisor.fds() === before);
  t.pass('their fds are closed');
  // Unknown messages of the child are ignored too.
  await supervisor.order({ notify: 'FDNAME=x\nNONSENSE\n=\nUNKNOWN=1', settle: true });
  await supervisor.order({ notify: `X=${'x'.repeat(5000)}`, settle: true });
  t.equal(supervisor.logged(/a truncated notification was ignored/).length, 1);
  t.equal(supervisor.fds(), before);
  fd.close();
  sender.close();
});
