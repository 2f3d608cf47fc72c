/**
 * The fd store over $NOTIFY_SOCKET: the messages to the manager, their order, and that no more is sent than
 * it stores.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { closeAll, DatagramReceiver, OwnedFd, type ReceivedDatagram } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { fdStoreCapacity, NotifyFdStore } from 'vkmemd/dist/systemd/fd-store.js';
import { openFds, sameFds, until } from '../native/open-fds.js';
import { temporaryFolder } from '../support/daemon.js';

const some = (count: number) =>
  Array.from({ length: count }, () => new OwnedFd(openSync('/dev/null', 'r'), 'test'));

/** A manager that records its messages, and closes their fds. */
function manager(t: Test) {
  const address = join(temporaryFolder(t), 'notify');
  const messages: { text: string; fds: number }[] = [];
  const on = {
    message({ data, fds }: ReceivedDatagram) {
      messages.push({ text: data.toString(), fds: fds.length });
      closeAll(fds);
    },
    error(failure: Error) {
      throw failure;
    },
  };
  return { address, messages, receiver: DatagramReceiver.bind(address, on) };
}

t.test('the messages are sent in the order of the calls', async (t) => {
  const { address, messages, receiver } = manager(t);
  const before = openFds();
  const store = new NotifyFdStore(address, 1000);
  const fds = some(300);
  await Promise.all([
    store.put('one', fds.slice(0, 1)),
    store.put('many', fds),
    store.remove('one'),
    store.settled(),
    store.put('one', fds.slice(0, 2)),
  ]);
  await store.settled();
  t.strictSame(messages, [
    { text: 'FDSTORE=1\nFDNAME=one\nFDPOLL=0', fds: 1 },
    { text: 'FDSTORE=1\nFDNAME=many\nFDPOLL=0', fds: 253 },
    { text: 'FDSTORE=1\nFDNAME=many\nFDPOLL=0', fds: 47 },
    { text: 'FDSTOREREMOVE=1\nFDNAME=one', fds: 0 },
    { text: 'BARRIER=1', fds: 1 },
    { text: 'FDSTORE=1\nFDNAME=one\nFDPOLL=0', fds: 2 },
    { text: 'BARRIER=1', fds: 1 },
  ]);
  t.equal(store.stored, 302);
  t.ok(
    fds.every(({ open }) => open),
    'the fds are borrowed',
  );
  closeAll(fds);
  store.close();
  await sameFds(t, before);
  receiver.close();
});

t.test('a busy manager is waited for', async (t) => {
  const { address, messages, receiver } = manager(t);
  const store = new NotifyFdStore(address, 1000);
  const fds = some(1000);
  const names = fds.map((_, at) => `m${at}`);
  // The receiver cannot run during this, and its queue holds only a few.
  const all = Promise.all(fds.map((fd, at) => store.put(names[at] ?? '', [fd])));
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  await all;
  await store.settled();
  clearInterval(counting);
  t.strictSame(
    messages.slice(0, 1000).map(({ text }) => /FDNAME=(.*)/.exec(text)?.[1]),
    names,
    'all 1000, in order',
  );
  t.ok(turns > 1, `the event loop had ${turns} turns meanwhile`);
  closeAll(fds);
  store.close();
  receiver.close();
});

t.test('no more fds are stored than the manager accepts', async (t) => {
  const { address, messages, receiver } = manager(t);
  const store = new NotifyFdStore(address, 3, ['old']);
  const fds = some(3);
  t.equal(store.stored, 1, 'with the inherited fds');
  await t.rejects(store.put('new', fds), { code: 'TOO_MANY_FILES', metadata: { kept: '1', capacity: '3' } });
  await store.put('new', fds.slice(0, 2));
  await t.rejects(store.put('new', fds.slice(0, 1)), { code: 'TOO_MANY_FILES' });
  await store.remove('old');
  await store.remove('never');
  await store.put('new', fds.slice(2));
  t.equal(store.stored, 3);
  await store.settled();
  t.equal(messages.filter(({ fds }) => fds > 0).length, 3, 'refused fds were not sent');
  store.close();

  const wide = new NotifyFdStore(address, 16384);
  const name = 'n'.repeat(255);
  for (let at = 0; at < 510; at += 3) await wide.put(name, fds);
  await t.rejects(
    wide.put(name, fds.slice(1)),
    /\d+ bytes of names/,
    'no more than the environment of a process can name',
  );
  wide.close();
  closeAll(fds);
  receiver.close();
});

t.test('invalid names are rejected', async (t) => {
  const { address, receiver } = manager(t);
  const store = new NotifyFdStore(address, 10);
  for (const name of ['', 'a:b', 'a\nb', 'é', '\x7f', 'x'.repeat(256)]) {
    await t.rejects(store.put(name, []), { code: 'INVALID_NAME' });
    await t.rejects(store.remove(name), { code: 'INVALID_NAME' });
  }
  await store.put('x'.repeat(255), []);
  store.close();
  receiver.close();
});

t.test('a missing manager, and a closed store', async (t) => {
  const { address, receiver } = manager(t);
  const before = openFds();
  const store = new NotifyFdStore(address, 10);
  const [fd] = some(1) as [OwnedFd];
  receiver.close();
  await t.rejects(store.put('x', [fd]), { code: 'UNAVAILABLE' });
  t.equal(store.stored, 0);
  await t.rejects(store.settled(), { code: 'UNAVAILABLE' });
  const deaf = join(temporaryFolder(t), 'deaf');
  const on = { message: ({ fds }: ReceivedDatagram) => closeAll(fds), error: t.fail };
  const other = DatagramReceiver.bind(deaf, on);
  const waiting = new NotifyFdStore(deaf, 10);
  const settled = t.rejects(waiting.settled(), { code: 'UNAVAILABLE' }, 'no wait lasts forever');
  waiting.close();
  waiting.close();
  await settled;
  await t.rejects(waiting.put('x', [fd]), { code: 'UNAVAILABLE' });
  other.close();
  fd.close();
  store.close();
  await until(() => openFds().size <= before.size);
  t.pass('no fd is left open');
});

t.test('the number of fds that fit is derived from RLIMIT_NOFILE', async (t) => {
  const said = (env: NodeJS.ProcessEnv) => [fdStoreCapacity(env), env];
  t.strictSame(said({}), [0, {}]);
  t.strictSame(said({ VKMEMD_FDSTORE_MAX: '7' }), [7, {}]);
  t.strictSame(said({ FDSTORE: '5', VKMEMD_FDSTORE_MAX: '7', A: 'b' }), [5, { A: 'b' }]);
  t.strictSame(said({ FDSTORE: 'many' }), [0, {}]);
});

/**
 * An independent manager: reads one message through the C library, and prints it with the targets of its fds.
 */
const PEER = `
import array, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1])
print('bound', flush=True)
data, control, flags, _ = s.recvmsg(4096, 65536)
fds, pid = array.array('i'), 0
for level, kind, payload in control:
    if kind == socket.SCM_RIGHTS: fds.frombytes(payload)
    if kind == socket.SCM_CREDENTIALS: pid = struct.unpack('iII', payload)[0]
print(repr(data.decode()), pid, [os.readlink(f'/proc/self/fd/{fd}') for fd in fds], flags & socket.MSG_CTRUNC, flush=True)
`;

t.test('an independent manager understands the messages', async (t) => {
  const address = join(temporaryFolder(t), 'notify');
  const peer = spawn('/usr/bin/python3', ['-c', PEER, address], { stdio: ['ignore', 'pipe', 'inherit'] });
  const started = await Promise.race([once(peer, 'spawn'), once(peer, 'error')]);
  if (started.length > 0) {
    t.pass('it understands them', { skip: `no python3: ${started[0]}` });
    return;
  }
  const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
  t.equal((await lines.next()).value, 'bound');
  const store = new NotifyFdStore(address, 10);
  const fds = some(2);
  await store.put('a name', fds);
  t.equal(
    (await lines.next()).value,
    `'FDSTORE=1\\nFDNAME=a name\\nFDPOLL=0' ${process.pid} ['/dev/null', '/dev/null'] 0`,
  );
  closeAll(fds);
  store.close();
});
