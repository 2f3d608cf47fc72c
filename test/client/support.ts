/** Shared by the client's tests: clients that are closed when the test ends, and additional processes. */
import { fileURLToPath } from 'node:url';
import { type Client, type ConnectOptions, connect } from '@vkmemd/client';
import type { Test } from 'tap';
import { type Ended, runNode } from '../support/program.js';

export const MIB = 1024 * 1024;
export const PAGE = 4096;

/** A client of the daemon in the folder, closed when the test ends. */
export async function connected(t: Test, runtimeDir: string, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect({ runtimeDir, clientName: 'test', ...options });
  t.teardown(() => client.close());
  return client;
}

/** Runs a compiled program of this folder. Resolves when it has ended by itself. */
export function runProgram(name: string, operands: readonly string[]): Promise<Ended> {
  return runNode([fileURLToPath(new URL(name, import.meta.url)), ...operands]);
}
