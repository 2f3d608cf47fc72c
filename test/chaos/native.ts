/** Runs native.py, for operations of an attacker that Node.js lacks. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { OwnedFd } from '@vkmemd/proto';
import { root } from '../support/daemon.js';

const PROGRAM = join(root, 'test/chaos/native.py');

/**
 * @param fd borrowed; the program's fd 3.
 * @returns the words that it printed.
 */
export function runNative(args: readonly string[], fd?: OwnedFd): Promise<string[]> {
  const stdio = ['ignore', 'pipe', 'inherit', ...(fd ? [fd.fd] : [])] as const;
  const child = spawn('python3', ['-S', '-E', PROGRAM, ...args], { stdio: [...stdio] });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output.trim().split(/\s+/));
      else reject(new Error(`native.py ended with ${code}`));
    });
  });
}
