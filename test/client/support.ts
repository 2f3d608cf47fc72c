/**
 * What the client's tests share: clients that are closed when the test ends, and second processes.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Client, type ConnectOptions, connect } from '@vkmemd/client';
import type { Test } from 'tap';

export const MIB = 1024 * 1024;
export const PAGE = 4096;

/** A client of the daemon in the folder, closed when the test ends. */
export async function connected(t: Test, runtimeDir: string, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect({ runtimeDir, clientName: 'test', ...options });
  t.teardown(() => client.close());
  return client;
}

/** How a program ended, and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a compiled program of this folder; resolves when it has ended by itself. */
export function runProgram(name: string, operands: readonly string[]): Promise<Ended> {
  const path = fileURLToPath(new URL(name, import.meta.url));
  const child = spawn(process.execPath, [path, ...operands], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
