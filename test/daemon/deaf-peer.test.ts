/**
 * A peer that shuts its reading (SHUT_RD) and continues to ask: its session ends with the first answer, so that it is
 * granted nothing, and others get what it waited for.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from '@vkmemd/client';
import { encode, HANDOFF_SOCKET, PROTOCOL_VERSION } from '@vkmemd/proto';
import t from 'tap';
import { assertCounts, startDaemon } from '../support/daemon.js';

const python = spawnSync('python3', ['--version']);
const skip = python.error ? `no python3 here: ${python.error.message}` : false;
const CLAIMS = 500;
const PAGE = 4096;

/** Arguments: the socket, how the peer ends its reading, and the messages in hex. Prints a line once 20 requests
 * are sent; the daemon does not read all of them while these wait. */
const PEER = `
import socket, sys
path, how, *messages = sys.argv[1:]
peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
peer.connect(path)
peer.send(bytes.fromhex(messages[0]))
peer.recv(65536)
if how == 'first': peer.shutdown(socket.SHUT_RD)
for message in messages[1:21]: peer.send(bytes.fromhex(message))
if how == 'last': peer.shutdown(socket.SHUT_RD)
print('sent', flush=True)
try:
    for message in messages[21:]: peer.send(bytes.fromhex(message))
except OSError: pass
sys.stdin.read()
`;

for (const how of ['first', 'last']) {
  t.test(`the peer shuts its reading ${how}`, { skip }, async (t) => {
    const { runtimeDir } = await startDaemon(t);
    await using holder = await connect({ runtimeDir });
    await using other = await connect({ runtimeDir });
    const memory = await holder.allocate({ size: PAGE, name: 'locked', sharing: 'ONE_WRITER' });
    const message = (sequence: number, body: object) =>
      encode('ClientMessage', { sequence: BigInt(sequence), fdCount: 0, ...body }).toString('hex');
    const claim = {
      allocation: { id: memory.allocation.id },
      kinds: ['KIND_MAPPABLE'],
      access: 'ACCESS_RW',
      waitMs: 600_000,
    };
    const messages = [
      message(1, { hello: { protocolVersion: PROTOCOL_VERSION, clientName: 'deaf' } }),
      ...Array.from({ length: CLAIMS }, (_, at) => message(at + 2, { claim })),
    ];
    const path = join(runtimeDir, HANDOFF_SOCKET);
    const peer = spawn('python3', ['-c', PEER, path, how, ...messages], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(peer.stdout, 'data');
    await memory.release();
    const claimed = await other.claim({ name: 'locked' }, { kinds: ['MAPPABLE'], waitMs: 30_000 });
    t.ok(claimed.grants.length > 0, 'another client gets the lock');
    t.equal(peer.exitCode, null, 'the peer is still there');
    await assertCounts(t, runtimeDir, { sessions: 2, allocations: 1, grants: 1, fds: 1, deviceMemories: 1 });
    await claimed.free();
    peer.stdin.end();
    await once(peer, 'close');
  });
}
