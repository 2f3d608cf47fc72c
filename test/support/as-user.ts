/** Runs parts of a test as another user: with a uid, a gid and supplementary groups of its own. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { plainEnvironment, plainNode } from './daemon.js';

export interface Somebody {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** The arguments of setpriv for this user. */
export function setpriv({ uid, gid, groups }: Somebody): string[] {
  const supplementary = groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')];
  return ['setpriv', '--reuid', String(uid), '--regid', String(gid), ...supplementary];
}

/**
 * Runs a compiled support program as this user. Resolves to the JSON that the program printed.
 * @param before a command that runs the program as its last step, such as one that first changes its control
 * group.
 */
export function asUser(
  who: Somebody,
  program: string,
  args: readonly string[],
  before: readonly string[] = [],
): Promise<unknown> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const [node, nodeArgs] = plainNode([path, ...args]);
  const [command = '', ...rest] = [...before, ...setpriv(who), node, ...nodeArgs];
  const child = spawn(command, rest, { env: plainEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output));
      else reject(new Error(`${program} ended with ${code}`));
    });
  });
}
