/** The control socket is HTTP/2 without TLS, with prior knowledge; it serves whatever :authority a client sends. */
import { once } from 'node:events';
import { serviceDefinition } from '@vkmemd/proto';
import t from 'tap';
import { startInProcess } from '../support/daemon.js';
import { messagesIn, rawSession } from '../support/raw-http2.js';

t.test('calls with any authority are served', async (t) => {
  const { runtimeDir } = await startInProcess(t);
  const session = rawSession(runtimeDir, 65_536);
  for (const authority of [
    'localhost',
    'example.com:443',
    '%2Frun%2Fvkmemd%2Fcontrol.sock',
    'x'.repeat(1000),
  ]) {
    const stream = session.request({
      ':method': 'POST',
      ':path': serviceDefinition('DeviceService').WatchBudget?.path,
      ':authority': authority,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => {});
    stream.end(Buffer.alloc(5));
    const [bytes] = await once(stream, 'data');
    t.match(messagesIn(bytes)[0], { counts: { sessions: 0 } }, authority.slice(0, 40));
    stream.close();
  }
  session.destroy();
});
