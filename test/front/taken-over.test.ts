/**
 * A front that was taken over, as a process that is confined as the real one: what it cannot do to the core
 * and the host, and what it can, which docs/security.md says.
 */
import { spawn } from 'node:child_process';
import { chownSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CONTROL_SOCKET, openStream } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import {
  ANYBODY,
  driverUnderTest,
  plainEnvironment,
  plainNode,
  root,
  temporaryFolder,
} from '../support/daemon.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';
import { assertNothingLeft } from './leftovers.js';
import { childrenOf, eventually, grpcBack, until } from './support.js';

const ATTEMPTS = join(root, 'test/native/build/attempts');
const programOf = (name: string): string => fileURLToPath(new URL(`programs/${name}.js`, import.meta.url));
/** The kernel permits more to root, so the daemon runs as another user where it can. */
const user = noOtherUser ? {} : { uid: OTHER_UID, gid: OTHER_UID };

interface TestCore {
  readonly runtimeDir: string;
  readonly policy: string;
  readonly pid: number;
  /** What its fronts have printed. */
  readonly lines: readonly string[];
  stop(): Promise<number | null>;
}

/** Starts a core whose first front is this program. */
async function startCore(
  t: Test,
  how: 'launched' | 'plain',
  commandOf: (runtimeDir: string, policy: string) => readonly string[],
): Promise<TestCore> {
  const [runtimeDir, folder] = [temporaryFolder(t), temporaryFolder(t)];
  const policy = join(folder, 'policy.toml');
  writeFileSync(policy, ANYBODY);
  if (!noOtherUser) for (const path of [runtimeDir, folder]) chownSync(path, OTHER_UID, OTHER_UID);
  const args = [programOf('core'), runtimeDir, policy, how, ...commandOf(runtimeDir, policy)];
  const child = spawn(...plainNode(args), {
    ...user,
    env: { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => void lines.push(line));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await until('the core is ready', () => lines.includes('ready'));
  const pid = Number(lines.find((line) => line.startsWith('pid '))?.slice(4));
  const stop = (): Promise<number | null> => {
    child.stdin.end();
    return ended;
  };
  return { runtimeDir, policy, pid, lines, stop };
}

/** Asserts that the core serves by a real front, and has nothing left of the one before. */
async function assertRecovered(t: Test, core: TestCore): Promise<void> {
  await until('the front is lost', () => core.lines.includes('lost'));
  await grpcBack(core.runtimeDir);
  await assertNothingLeft(t, core.runtimeDir);
  t.equal(await core.stop(), 0);
}

/** The nodes of devices, as far as there are any. */
const devices = ['/dev/dri', '/dev']
  .flatMap((folder) => (existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []))
  .filter((path) => /\/(renderD\d+|nvidia\d*|nvidiactl|kvm|mem|null)$/.test(path));

t.test('what it cannot do, and what it can', async (t) => {
  const core = await startCore(t, 'launched', (runtimeDir, policy) => [
    process.execPath,
    programOf('taken-over'),
    runtimeDir,
    policy,
    join(runtimeDir, 'vkmemd.lock'),
    '/etc/passwd',
    ...devices,
  ]);
  const client = openStream(join(core.runtimeDir, CONTROL_SOCKET));
  const line = await eventually('its results', () => core.lines.find((each) => each.startsWith('{')), 30_000);
  const results = JSON.parse(line) as Record<string, string>;
  const caller = /^act as the caller: /;
  const attempts = Object.entries(results).filter(([name]) => !caller.test(name));
  t.ok(attempts.length > 15 + devices.length, `${attempts.length} attempts`);
  for (const [name, outcome] of attempts) t.match(outcome, /^E(ACCES|PERM)$/, name);
  const acts = Object.entries(results).filter(([name]) => caller.test(name));
  t.strictSame(Object.fromEntries(acts.map(([name, outcome]) => [name.replace(caller, ''), outcome])), {
    Allocate: 'done',
    Claim: 'NOT_PERMITTED',
    Free: 'done',
    // The client of this test is root.
    ListSessions: 'done',
  });
  t.notOk(existsSync(join(core.runtimeDir, 'written')));
  client.close();
  for (const front of childrenOf(core.pid)) process.kill(front, 'SIGKILL');
  await assertRecovered(t, core);
});

t.test('the system calls that it cannot make, against the core', async (t) => {
  const core = await startCore(t, 'launched', () => [ATTEMPTS, 'refused']);
  const names = ['ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_open', 'pidfd_getfd', 'kcmp'];
  const all = [
    ...names,
    'kill parent',
    'tgkill',
    'prlimit64',
    'socket',
    'connect',
    'bind',
    'accept4',
    'sendto',
    'sendmmsg',
    'execveat',
  ];
  await until('the front is lost', () => core.lines.includes('lost'));
  for (const name of all) t.ok(core.lines.includes(`${name} 1`), `${name} is refused with EPERM`);
  await assertRecovered(t, core);
});

t.test('the files of the core that it cannot open even before it gives up opening files', async (t) => {
  // The shell has the pid of the front, and the parent of the front is the core.
  const script = `exec ${ATTEMPTS} access $PPID`;
  const core = await startCore(t, 'launched', () => ['/bin/sh', '-c', script]);
  await until('the front is lost', () => core.lines.includes('lost'));
  for (const name of ['environ', 'fd', 'maps', 'mem', 'root']) {
    t.ok(core.lines.includes(`${name} 13`), `${name}: EACCES`);
  }
  await assertRecovered(t, core);
});

t.test('the core refuses the pid of its front on the handoff socket', async (t) => {
  const core = await startCore(t, 'plain', (runtimeDir) => [
    process.execPath,
    programOf('connecting'),
    runtimeDir,
  ]);
  await until('the front is lost', () => core.lines.includes('lost'));
  t.ok(core.lines.includes('NOT_PERMITTED'), core.lines.join(' '));
  await assertRecovered(t, core);
});
