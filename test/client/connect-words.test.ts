/** What a client reports where no daemon listens: what is at the path, and what to do. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@vkmemd/client';
import { listenAt } from '@vkmemd/proto';
import t from 'tap';
import { root, temporaryFolder } from '../support/daemon.js';
import { runProgram } from '../support/program.js';

const VKMEMCTL = join(root, 'client/typescript/bin/vkmemctl.js');

t.test('what is at the path of the socket', async (t) => {
  const folder = temporaryFolder(t);
  const at = (name: string) => join(folder, name, 'handoff.sock');
  for (const name of ['empty', 'file', 'folder', 'dead', 'link']) mkdirSync(join(folder, name));
  writeFileSync(at('file'), '');
  mkdirSync(at('folder'));
  symlinkSync('/nonexistent/handoff.sock', at('link'));
  listenAt({ type: 'seqpacket', path: at('dead') }).close();
  writeFileSync(join(folder, 'afile'), '');
  symlinkSync('loop', join(folder, 'loop'));
  const cases: [string, RegExp][] = [
    ['typo', /The folder \S+\/typo does not exist\./],
    ['typo/deeper', /The folder \S+\/typo does not exist\./],
    ['afile', /\/afile is not a folder\./],
    ['loop', /\/loop/],
    ['empty', /\/empty has no such socket\./],
    ['file', /is a regular file, not a socket\./],
    ['folder', /is a folder, not a socket\./],
    ['link', /is a link to a file that does not exist\./],
    ['dead', /No process listens on .*: the daemon has ended/],
  ];
  for (const [name, message] of cases) {
    const failure = await connect({ handoffSocket: at(name) }).catch((error) => error);
    t.match(failure, { name: 'VkmemError', code: 'UNAVAILABLE', message }, name);
    t.notMatch(failure.next, /--help|restarted/, failure.next);
    const ended = await runProgram(VKMEMCTL, ['--runtime-dir', join(folder, name), 'exec', '--', 'true']);
    t.match(ended, { code: 69, stderr: message }, `vkmemctl exec: ${name}`);
    t.notMatch(ended.stderr, /\n\s+at /, 'without a stack');
  }
});

t.test(
  'a socket file that is mounted and has no process any more',
  { skip: process.getuid?.() !== 0 },
  async (t) => {
    const folder = temporaryFolder(t);
    for (const name of ['from', 'to']) mkdirSync(join(folder, name));
    listenAt({ type: 'seqpacket', path: join(folder, 'from/handoff.sock') }).close();
    writeFileSync(join(folder, 'to/handoff.sock'), '');
    const script = 'mount --bind from/handoff.sock to/handoff.sock; exec "$0" --runtime-dir to exec -- true';
    const ended = spawnSync('unshare', ['-m', 'bash', '-c', script, VKMEMCTL], {
      cwd: folder,
      encoding: 'utf8',
    });
    t.match(ended, {
      status: 69,
      stderr: /mounted at \S+ has been replaced.*Mount the folder of the socket/,
    });
  },
);

t.test('an inherited fd that the parent has closed', async (t) => {
  const failure = await connect({ sessionFd: 987 }).catch((error) => error);
  t.match(failure, { code: 'INVALID_ARGUMENT', message: /EBADF.*has closed it.*pass_fds/ });
});
