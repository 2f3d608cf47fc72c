/** confine(): vkmemd's Node.js, started by the launcher, serves HTTP/2 afterwards; what else works and what not. */
import { spawn } from 'node:child_process';
import { connect } from 'node:http2';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Listener, launcherPath, openStream } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { plainEnvironment, temporaryFolder } from '../support/daemon.js';

const PROGRAM = fileURLToPath(new URL('confined-program.js', import.meta.url));
const REFUSED = 'EACCES';
/** What a program cannot do after confine(). All else works. */
const EXPECTED = {
  'import of a file': REFUSED,
  open: REFUSED,
  'open in the thread pool': REFUSED,
  'open in a worker': REFUSED,
  program: 'EPERM',
  name: 'EAI_AGAIN',
  'memory usage': REFUSED,
  processors: 'none',
  'signal to its parent': 'EPERM',
};

/** Both ends of a stream connection; the second as an fd for a child. */
async function connected(t: Test): Promise<[Socket, ReturnType<typeof openStream>]> {
  const path = join(temporaryFolder(t), 'stream');
  const accepted = new Promise<Socket>((resolve, reject) => {
    const listener = Listener.listen(
      { type: 'stream', path },
      {
        connection(fd, peer) {
          peer.pidfd?.close();
          listener.close();
          resolve(new Socket({ fd: fd.take(), readable: true, writable: true }));
        },
        error: reject,
      },
    );
  });
  const link = openStream(path);
  return [await accepted, link];
}

t.test('a confined server serves, and opens and executes nothing', async (t) => {
  const [socket, link] = await connected(t);
  const child = spawn(launcherPath(), [process.execPath, PROGRAM], {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit', link.fd],
  });
  link.close();
  const output = child.stdout?.toArray() as Promise<Buffer[]>;
  const exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  const session = connect('http://front', { createConnection: () => socket });
  for (const round of [1, 2]) {
    const request = session.request({ ':path': '/' });
    const body = Buffer.concat((await request.toArray()) as Buffer[]).toString();
    const outcomes = Object.entries(JSON.parse(body) as Record<string, string>);
    t.ok(outcomes.length > 15);
    const failed = outcomes.filter(([, outcome]) => outcome !== 'ok');
    t.strictSame(Object.fromEntries(failed), EXPECTED, `request ${round}`);
  }
  session.close();
  socket.end();
  t.equal(await exit, 0);
  t.equal(Buffer.concat(await output).toString(), 'written\n'.repeat(2));
});
