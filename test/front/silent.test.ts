/** A peer of the control socket that has not begun HTTP/2 by the time limit of a handshake is disconnected. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { CONTROL_SOCKET } from '@vkmemd/proto';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { rawSession } from '../support/raw-http2.js';

t.test('silent peers are disconnected, idle ones are not', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: '[limits]\nhandshake_ms = 300\n' });
  const idle = rawSession(runtimeDir, 65_536);
  await once(idle, 'remoteSettings');
  let ended = false;
  idle.once('close', () => {
    ended = true;
  });
  for (const sent of ['', 'PRI * HTTP/2.0\r\n', 'GET / HTTP/1.1\r\n']) {
    const socket = connect(join(runtimeDir, CONTROL_SOCKET));
    socket.on('error', () => {});
    socket.resume();
    socket.write(sent);
    await once(socket, 'close');
    t.pass(`disconnected after '${sent.trim()}'`);
  }
  t.notOk(ended, 'a connection that has begun stays');
  idle.destroy();
});
