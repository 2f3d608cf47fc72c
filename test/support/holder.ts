/** Memory that another process has mapped: first with a session and a grant, then without either. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { plainEnvironment, plainNode } from './daemon.js';

export interface Holder {
  readonly child: ChildProcess;
  /** Ends its session; the mapping stays. */
  forgetSession(): Promise<void>;
}

/** Starts a process that maps the memory; it is killed when the test ends. */
export async function holdMapped(t: Test, runtimeDir: string, name: string): Promise<Holder> {
  const path = fileURLToPath(new URL('hold-mapped.js', import.meta.url));
  const child = spawn(...plainNode([path, runtimeDir, name]), {
    env: plainEnvironment(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const says = async (word: string) => {
    const { value } = await lines.next();
    if (value !== word) throw new Error(`the holder printed ${value}, not ${word}`);
  };
  await says('mapped');
  return {
    child,
    forgetSession: async () => {
      child.stdin.write('\n');
      await says('forgotten');
    },
  };
}
