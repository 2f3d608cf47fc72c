/**
 * Messages of an untrusted peer: one message with fds at a time, no more fds than are permitted, and each fd
 * and its duplicates closed by the reaper. test/daemon/hostile-fds shows that no client waits for a blocking
 * close().
 */
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import {
  type CloseReason,
  Connection,
  type ConnectionLimits,
  createMemfd,
  type Fault,
  fileStatus,
  OwnedFd,
  pendingCloses,
  seqpacketPair,
} from '@vkmemd/proto';
import t from 'tap';
import { isCloexec, openFds, sameFds, until } from './open-fds.js';

const nullFd = () => new OwnedFd(openSync('/dev/null', 'r'), 'null');
const bytes = (text: string) => Buffer.from(text);

/** A peer, and the end that does not trust it, with the received messages. */
function conversation(limits: ConnectionLimits = { maxFds: 1 }) {
  const [one, other] = seqpacketPair();
  const messages: string[] = [];
  const fds: OwnedFd[] = [];
  const faults: Fault[] = [];
  const closes: CloseReason[] = [];
  const heard: string[] = [];
  const wary = new Connection(
    one,
    {
      message: (data, received) => {
        messages.push(data.toString());
        fds.push(...received);
      },
      fault: (fault) => {
        faults.push(fault);
        return bytes('goodbye');
      },
      close: (reason) => closes.push(reason),
    },
    { untrusted: true, ...limits },
  );
  const peer = new Connection(other, { message: (data) => heard.push(data.toString()), close: () => {} });
  return { wary, peer, messages, fds, faults, closes, heard };
}

t.test('messages with fds arrive one at a time, others at once', async (t) => {
  const before = openFds();
  const { wary, peer, messages, fds, closes } = conversation();
  peer.send(bytes('first'), [nullFd()]);
  peer.send(bytes('second'));
  peer.send(bytes('third'), [nullFd()]);
  peer.send(bytes('fourth'));
  await until(() => messages.length === 2);
  await sleep(50);
  t.strictSame(messages, ['first', 'second'], 'the third waits until the fd of the first is closed');
  t.ok(isCloexec(fds[0]?.fd ?? -1));
  const copy = fds[0]?.dup();
  fds[0]?.close();
  await until(() => messages.length === 4);
  t.strictSame(messages.slice(2), ['third', 'fourth'], 'a duplicate of the fd does not delay it');
  peer.send(bytes('fifth'), [nullFd()]);
  closeSync(fds[1]?.take() ?? -1);
  await until(() => messages.length === 5);
  t.pass('an fd that was taken does not either');
  copy?.close();
  fds[2]?.close();
  peer.close();
  await until(() => closes.length > 0);
  t.strictSame(closes, [{ kind: 'hangup' }]);
  wary.close();
  await until(() => pendingCloses() === 0);
  await sameFds(t, before);
});

t.test('fds that violate a limit are not received', async (t) => {
  const before = openFds();
  const max = before.size + 6; // two connections and what the event loop needs
  for (const [what, size, count, limits, kind] of [
    ['two fds where one is permitted', 1, 2, { maxFds: 1 }, 'unsolicited-fds'],
    ['253 where three are permitted', 1, 253, { maxFds: 3 }, 'unsolicited-fds'],
    ['one where none is permitted', 1, 1, {}, 'unsolicited-fds'],
    ['a long message', 65, 1, { maxFds: 1, maxMessageBytes: 64 }, 'message-too-large'],
  ] as const) {
    const { peer, messages, faults, closes, heard } = conversation(limits);
    peer.send(
      Buffer.alloc(size, 1),
      Array.from({ length: count }, () => nullFd()),
    );
    peer.send(bytes('more'), [nullFd()]);
    await until(() => closes.length > 0 && heard.length > 0);
    t.match({ faults, closes }, { faults: [{ kind }], closes: [{ kind }] }, what);
    t.strictSame({ messages, heard }, { messages: [], heard: ['goodbye'] });
    await until(() => pendingCloses() === 0);
    peer.close();
    t.ok(openFds().size <= max, 'none of them is left open');
  }
  await sameFds(t, before);
});

t.test('the fds of a terminated worker are closed', async (t) => {
  const before = openFds();
  const [one, other] = seqpacketPair();
  const program = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { Connection, OwnedFd } from ${JSON.stringify(import.meta.resolve('@vkmemd/proto'))};
    const message = (_, fds) => {
      globalThis.kept = [...fds, fds[0].dup()];
      parentPort.postMessage('kept');
    };
    const limits = { maxFds: 1, untrusted: true };
    new Connection(new OwnedFd(workerData, 'socket'), { message, close() {} }, limits);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), {
    workerData: one.take(),
  });
  const retained = new Promise((resolve) => worker.once('message', resolve));
  const peer = new Connection(other, { message: () => {}, close: () => {} });
  peer.send(bytes('first'), [nullFd()]);
  t.equal(await retained, 'kept');
  peer.send(bytes('second'), [nullFd()]);
  await worker.terminate();
  peer.close();
  await until(() => pendingCloses() === 0);
  await sameFds(t, before);
});

t.test('the status of a file', async (t) => {
  using memfd = await createMemfd('status', 8192n);
  using other = await createMemfd('status', 4096n);
  using device = nullFd();
  t.match(fileStatus(memfd), { type: 0o100000n, size: 8192n, blocks: 16n, node: 0n });
  t.equal(fileStatus(memfd).device, fileStatus(other).device, 'memfds are on one file system');
  t.match(fileStatus(device), { type: 0o020000n, node: 0x103n });
  t.not(fileStatus(device).device, fileStatus(memfd).device);
});
