/** Failed system calls of vkmemctl: an error of the catalogue with a next step, and no stack trace. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OwnedFd, systemFault } from '@vkmemd/proto';
import t from 'tap';
import { plainEnvironment, plainNode, root, startDaemon, temporaryFolder } from '../support/daemon.js';

const PROGRAM = join(root, 'client/typescript/bin/vkmemctl.js');

function faultOf(call: () => unknown) {
  try {
    call();
  } catch (failure) {
    return systemFault(failure);
  }
  throw new Error('the call did not fail');
}

t.test('errors of Node.js and of the addon', (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  t.match(
    faultOf(() => readFileSync(join(folder, 'none'))),
    {
      code: 'SYSTEM_CALL_FAILED',
      reason: /ENOENT: no such file or directory, open '.*none'/,
      metadata: { errno: 'ENOENT', syscall: 'open', whose: 'client' },
    },
  );
  t.match(
    faultOf(() => mkdirSync(join(file, 'below'))),
    { reason: /ENOTDIR/, code: 'SYSTEM_CALL_FAILED' },
  );
  const denied = Object.assign(new Error('EACCES: permission denied'), {
    code: 'EACCES',
    syscall: 'scandir',
    path: '/x',
  });
  t.match(systemFault(denied), {
    code: 'NOT_PERMITTED',
    reason: '/x: EACCES: permission denied.',
    next: /another user/,
  });
  t.match(
    faultOf(() => OwnedFd.duplicateOf(1_000_000, 'test')),
    { code: 'SYSTEM_CALL_FAILED', metadata: { errno: 'EBADF', syscall: 'fcntl' } },
    'of the addon',
  );
  t.equal(systemFault(new TypeError('a defect')), undefined);
  t.equal(
    systemFault(Object.assign(new Error('other'), { code: 'ERR_INVALID_ARG', syscall: 'x' })),
    undefined,
  );
  t.end();
});

t.test('a command without fds prints no stack trace', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const [node, args] = plainNode([PROGRAM, '--runtime-dir', runtimeDir, 'doctor']);
  const open = readdirSync('/proc/self/fd').length;
  for (const most of [open + 4, open + 8, open + 14]) {
    const { status, stderr } = spawnSync('prlimit', [`--nofile=${most}:${most}`, node, ...args], {
      env: plainEnvironment(),
      encoding: 'utf8',
    });
    t.notMatch(stderr, /^ {4}at /m, `${most} fds: ${status}`);
  }
});
