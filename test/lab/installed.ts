/** The package as it is installed in a guest of the lab, where systemd is process 1. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, ControlClient, type DaemonStatus, VkmemError } from '@vkmemd/client';
import { connectTo, TIMEOUT_MS } from './guest.js';

export const SERVICE = 'vkmemd.service';
export const RUNTIME_DIR = '/run/vkmemd';
const STEP_MS = 500;

/** How a command ended. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(command: string, ...args: readonly string[]): Outcome {
  return spawnSync(command, args, { encoding: 'utf8' });
}

/** @returns what it printed. @throws Error with what the command said if it fails. */
export function must(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = run(command, ...args);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr || stdout}`);
  return stdout.trim();
}

/** A property of a unit. */
export const property = (name: string, unit = SERVICE): string =>
  must('systemctl', 'show', '--value', '-p', name, unit);

/** The major version of systemd. */
export const systemdVersion = (): number =>
  Number(/^systemd (\d+)/.exec(must('systemctl', '--version'))?.[1]);

/** Looks twice a second until there is a value. @throws Error after three minutes. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  for (const end = Date.now() + TIMEOUT_MS; Date.now() < end; await sleep(STEP_MS)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`timed out: ${what}`);
}

/** Waits until another daemon than that of the invocation is ready. @returns its pid. */
export async function ready(before = ''): Promise<number> {
  await eventually('the service is active', () => {
    const [state, invocation] = [property('ActiveState'), property('InvocationID')];
    return (state === 'active' && invocation !== before) || undefined;
  });
  return Number(property('MainPID'));
}

/** A session of root's. While the processors are busy, this process may be too late with its Hello. */
export const session = (): Promise<Client> =>
  eventually('a session is opened', async () => {
    try {
      return await connectTo(RUNTIME_DIR);
    } catch (failure) {
      if (failure instanceof VkmemError && failure.reason.startsWith('No Hello')) return undefined;
      throw failure;
    }
  });

export async function status(): Promise<DaemonStatus> {
  const control = new ControlClient({ runtimeDir: RUNTIME_DIR, timeoutMs: TIMEOUT_MS });
  try {
    return await control.status();
  } finally {
    await control.close();
  }
}

/** The front's pid. */
export const frontOf = (pid: number): string =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();

/** Restarts the service. @returns the pid of the daemon. */
export async function restart(): Promise<number> {
  must('systemctl', 'restart', SERVICE);
  return ready();
}

/** Files that tests use by hand under the profiles: one that neither may read, and one of the core's. */
export const TRIED = { other: '/etc/hostname', own: `${RUNTIME_DIR}/lab` } as const;

/** What AppArmor has refused since the boot, in the kernel's words, but for what tests have tried. */
export function denials(): string[] {
  const refused = must('dmesg')
    .split('\n')
    .filter((line) => line.includes('apparmor="DENIED"'));
  return refused.filter((line) => !Object.values(TRIED).some((file) => line.includes(`name="${file}"`)));
}

/** What the daemon that runs now has logged. */
export function journal(): string {
  must('journalctl', '--sync');
  return must('journalctl', '--no-pager', '-o', 'cat', `_SYSTEMD_INVOCATION_ID=${property('InvocationID')}`);
}
