/**
 * System calls that old container runtimes, old kernels or security modules refuse, one at a time: the daemon uses
 * another way, or a kind is UNSUPPORTED with that reason, or the start is refused with an error of the catalogue.
 */
import { spawn, spawnSync } from 'node:child_process';
import { connect, openPidfd } from '@vkmemd/client';
import t, { type Test } from 'tap';
import { execute, vkmemctl } from '../cli/support.js';
import { asUser } from '../support/as-user.js';
import {
  ANYBODY,
  daemonProgram,
  driverUnderTest,
  plainEnvironment,
  plainNode,
  startDaemon,
  temporaryFolder,
} from '../support/daemon.js';
import { refusing } from '../support/refuse-calls.js';
import { noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';

const python = spawnSync('python3', ['--version']);
const skip = python.error ? `no python3 here: ${python.error.message}` : false;
const GROUP = 65_529;
const LIKELY_CAUSE = /seccomp profile/;

interface Outcome {
  /** Of the start, which is refused: what its error says, beside the errno and the likely cause. */
  readonly refused?: RegExp;
  /** The same of the supervisor. */
  readonly supervisor?: RegExp;
  /** MAPPABLE memory is UNSUPPORTED, with this in the reason. */
  readonly lacks?: RegExp;
  /** What is warned of at the start. */
  readonly warns?: RegExp;
  /** What else is different, or is not. */
  more?(t: Test, runtimeDir: string, errno: string): Promise<void>;
}

/** The outcome for each call. Where nothing is said the daemon serves, by another way if it needs one. */
const OUTCOMES: Readonly<Record<string, Outcome>> = {
  bind: { refused: /\.sock: bind: /, supervisor: /supervisor\/notify: bind: / },
  close_range: {
    async more(t, runtimeDir) {
      const { ended } = execute(runtimeDir, [
        '--allocate',
        'name=one,size=4K,lifetime=session',
        '--',
        'true',
      ]);
      t.match(await ended, { code: 0 }, 'and so do programs');
    },
  },
  fallocate: {},
  flock: { refused: /runtime folder .* cannot be used: flock: /, supervisor: /cannot be used: flock: / },
  'getsockopt:SO_PEERGROUPS': { warns: /refuses SO_PEERGROUPS/ },
  'getsockopt:SO_PEERPIDFD': {},
  kcmp: {},
  memfd_create: {
    lacks: /memfd_create/,
    async more(t, runtimeDir) {
      t.match((await vkmemctl(runtimeDir, 'doctor')).stdout, /memfd_create/, 'doctor shows it');
    },
  },
  pidfd_getfd: {},
  pidfd_open: { more: withoutPidfds },
  pidfd_send_signal: {},
};

/** Entrust needs a pidfd of the daemon's own; joining an ivshmem server does not. */
async function withoutPidfds(t: Test, runtimeDir: string, errno: string): Promise<void> {
  await using client = await connect({ runtimeDir });
  await using memory = await client.allocate({ size: 4096, name: 'frames' });
  const child = spawn('sleep', ['600']);
  const pidfd = openPidfd(child.pid ?? 0);
  await t.rejects(memory.entrust(pidfd), {
    code: 'SYSTEM_CALL_FAILED',
    reason: new RegExp(`pidfd_open: ${errno}`),
    next: LIKELY_CAUSE,
  });
  pidfd.close();
  child.kill('SIGKILL');
  await client.control.ivshmem.serve(memory);
  await using peer = await client.ivshmem.join(memory);
  t.type(peer.id, 'number', 'a peer joins');
  await peer.close();
  await client.control.ivshmem.stop(memory);
  await memory.free();
}

/** Runs a start that is refused to its end. */
function refusedStart(t: Test, before: readonly string[], args: readonly string[] = []) {
  const [node, nodeArgs] = plainNode([daemonProgram, '--runtime-dir', temporaryFolder(t), ...args]);
  const [command = node, ...rest] = [...before, node, ...nodeArgs];
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() };
  const { status, stdout, stderr } = spawnSync(command, rest, { encoding: 'utf8', env, timeout: 60_000 });
  return { status, said: stderr, traces: /\n {4}at |"stack"/.test(stdout + stderr) };
}

async function serves(t: Test, runtimeDir: string, lacks: RegExp | undefined, errno: string): Promise<void> {
  await using client = await connect({ runtimeDir });
  const [device] = (await client.devices()).devices;
  const mappable = device?.kinds.find(({ kind }) => kind === 'KIND_MAPPABLE');
  if (lacks) {
    t.match(mappable, { rung: 'RUNG_UNSUPPORTED', reason: lacks });
    t.match(mappable, { reason: new RegExp(errno) });
    t.match(mappable, { reason: LIKELY_CAUSE });
    await t.rejects(client.allocate({ size: 4096, kinds: ['MAPPABLE'] }), {
      code: 'KIND_UNSUPPORTED',
      message: lacks,
    });
    return;
  }
  t.match(mappable, { rung: 'RUNG_VERIFIED' });
  await using memory = await client.allocate({ size: 3 << 20 });
  const { bytes } = memory.map();
  t.ok(bytes.every((byte) => byte === 0) && bytes.fill(7), 'memory is mapped, and zero');
}

for (const [call, { refused, supervisor, lacks, warns, more }] of Object.entries(OUTCOMES)) {
  for (const errno of ['EPERM', 'ENOSYS']) {
    t.test(`${call}: ${errno}`, { skip }, async (t) => {
      const before = refusing(errno, call);
      for (const [said, args] of [
        [refused, []],
        [supervisor, ['--supervisor']],
      ] as const) {
        if (!said) continue;
        const start = refusedStart(t, before, args);
        t.match(start, { status: args.length === 0 ? 1 : /^(1|64)$/, said, traces: false });
        t.match(start.said, /^vkmemd: /);
        t.match(start.said, new RegExp(errno));
        t.match(start.said, LIKELY_CAUSE);
      }
      if (refused) return;
      const { runtimeDir, log } = await startDaemon(t, { before });
      await serves(t, runtimeDir, lacks, errno);
      if (warns) t.match(log(), warns);
      await more?.(t, runtimeDir, errno);
      t.notMatch(log(), /"stack"|\n {4}at /, 'nothing is logged as a defect');
    });
  }
}

/** Runs the rest with another /proc, in a mount namespace of its own. */
const withProc = (mount: string): string[] => [
  ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c', `${mount} /proc && exec "$@"`, 'sh'],
];

t.test('/proc', { skip: noOtherUser ?? false }, async (t) => {
  const hidden = withProc('mount -t tmpfs vkmemd-test');
  for (const args of [[], ['--supervisor']]) {
    const start = refusedStart(t, hidden, args);
    t.match(start, { status: 1, traces: false });
    t.match(start.said, /^vkmemd: SYSTEM_CALL_FAILED: \/proc does not show this process: .*ENOENT/, 'hidden');
    t.match(start.said, /Mount \/proc/);
  }
  const { runtimeDir } = await startDaemon(t, {
    before: withProc('mount -t proc -o subset=pid vkmemd-test'),
  });
  await serves(t, runtimeDir, undefined, '');
  t.pass('one of processes alone (ProcSubset=pid) suffices');
});

t.test('SO_PEERGROUPS and SO_PEERPIDFD', { skip: skip || noOtherUser || false }, async (t) => {
  const before = refusing('EACCES', 'getsockopt:SO_PEERGROUPS', 'getsockopt:SO_PEERPIDFD');
  const { runtimeDir, log } = await startDaemon(t, { policy: ANYBODY, before });
  await serves(t, runtimeDir, undefined, '');
  t.match(log(), /refuses SO_PEERGROUPS/);
});

for (const errno of ['EPERM', 'ENOSYS', 'EACCES']) {
  t.test(`the groups of a peer: ${errno}`, { skip: skip || noOtherUser || false }, async (t) => {
    const policy = `[[rule]]\ngroup = ${GROUP}\nconnect = true\n`;
    const { runtimeDir } = await startDaemon(t, {
      policy,
      before: refusing(errno, 'getsockopt:SO_PEERGROUPS'),
    });
    openToOthers(runtimeDir);
    for (const [groups, connects] of [
      [[GROUP], true],
      [[], false],
    ] as const) {
      const who = { uid: OTHER_UID, gid: OTHER_UID, groups: [...groups] };
      const answer = asUser(who, 'connects.js', [runtimeDir]);
      t.strictSame(await answer, { connects }, `groups ${groups.join()}: those of the process count`);
    }
  });
}
