/** Runs parts of a test as another uid, in a process of its own. */
import { spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONTROL_SOCKET, HANDOFF_SOCKET } from '@vkmemd/proto';
import { plainEnvironment, plainNode } from './daemon.js';

/** A user that owns nothing, and is no user of Debian: 65534 stands for all users that a namespace does not map. */
export const OTHER_UID = 65_533;

/** The reason why the test cannot act as other users; undefined where it can. */
export const noOtherUser = process.getuid?.() === 0 ? undefined : 'only root can act as another user';

/** Makes the sockets of a daemon that root runs accessible to every user. */
export function openToOthers(runtimeDir: string): void {
  chmodSync(runtimeDir, 0o755);
  for (const socket of [HANDOFF_SOCKET, CONTROL_SOCKET]) chmodSync(join(runtimeDir, socket), 0o666);
}

/** Runs a compiled support program as OTHER_UID. Resolves to the JSON that the program printed. */
export function asOtherUser(program: string, args: readonly string[]): Promise<unknown> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(...plainNode([path, ...args]), {
    uid: OTHER_UID,
    gid: OTHER_UID,
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output));
      else reject(new Error(`${program} ended with ${code}`));
    });
  });
}
