/**
 * Empty datagrams: our own connections send none, and a reader cannot distinguish them from the end of the
 * connection. They hide no later message, neither from the reader nor from their sender.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type CloseReason, Connection, seqpacketPair } from '@vkmemd/proto';
import t from 'tap';
import { plainEnvironment } from '../support/daemon.js';
import { rawPeer } from './framing.js';
import { openFds, sameFds, until } from './open-fds.js';

/**
 * A peer that uses plain system calls, for which a reset is an error: it sends, prints a line, and prints
 * what it receives.
 */
const PLAIN_PEER = `
import json, socket, sys
peer = socket.socket(fileno=3)
peer.setblocking(True)
peer.send(b'x' * 65)
for _ in range(3):
    peer.send(b'')
socket.send_fds(peer, [b'with a file'], [0])
print('sent', flush=True)
heard = []
try:
    while len(heard) < 9 and (data := peer.recv(100)):
        heard.append(data.decode())
except OSError as error:
    heard.append(error.strerror)
print(json.dumps(heard))
`;

for (const untrusted of [false, true]) {
  const whom = untrusted ? 'an untrusted peer' : 'a peer';

  t.test(`messages of ${whom} after empty ones are read after it closed the connection`, async (t) => {
    const before = openFds();
    const [one, other] = seqpacketPair();
    const messages: string[] = [];
    const closes: CloseReason[] = [];
    const peer = rawPeer(other, () => {});
    for (const text of ['first', '', '', 'behind', '', '', '']) peer.send(Buffer.from(text), []);
    peer.close();
    new Connection(
      one,
      { message: (data) => messages.push(data.toString()), close: (reason) => closes.push(reason) },
      { untrusted },
    );
    await until(() => closes.length > 0);
    t.strictSame(messages, ['first', '', '', 'behind', '', ''], 'trailing empty datagrams count as the end');
    t.strictSame(closes, [{ kind: 'hangup' }]);
    await sameFds(t, before);
  });

  t.test(`${whom} receives the last message although its empty ones are unread`, async (t) => {
    const before = openFds();
    const [one, other] = seqpacketPair();
    const child = spawn('python3', ['-c', PLAIN_PEER], {
      env: plainEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit', other.fd],
    });
    other.close();
    const ended = once(child, 'close');
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    t.equal((await lines.next()).value, 'sent');
    const closes: CloseReason[] = [];
    new Connection(
      one,
      { message: () => {}, fault: () => Buffer.from('goodbye'), close: (reason) => closes.push(reason) },
      { maxMessageBytes: 64, maxFds: 1, untrusted },
    );
    t.strictSame(JSON.parse((await lines.next()).value ?? ''), ['goodbye']);
    await ended;
    t.strictSame(closes, [{ kind: 'message-too-large' }]);
    await sameFds(t, before);
  });
}
