/** The package as it is installed in a guest of the lab, where systemd is process 1. */
import { spawnSync } from 'node:child_process';
import { until } from '../support/supervised-daemon.js';

export const SERVICE = 'vkmemd.service';

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

/** What `vkmemctl COMMAND --json` prints. */
export const vkmemctl = <T>(...args: readonly string[]): T =>
  JSON.parse(must('/usr/bin/vkmemctl', ...args, '--json')) as T;

/** Waits until another daemon than that of the invocation is ready. @returns its pid. */
export async function ready(before = ''): Promise<number> {
  await until('the service is active', () => {
    const other = property('InvocationID') !== before && property('ActiveState') === 'active';
    return other || undefined;
  });
  return Number(property('MainPID'));
}
