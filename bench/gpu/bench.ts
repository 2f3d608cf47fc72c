/** What the phases of the GPU benchmark share, and how one of them runs. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, connect } from '@vkmemd/client';
import { HANDOFF_SOCKET } from '@vkmemd/proto';
import { BenchDaemon } from '../daemon.js';
import { reasonOf } from '../reason.js';
import { type Programs, within } from './programs.js';
import { MIB, type RowName, type Rows } from './rows.js';

const START_MS = 30_000;
export const SMALL = 2 * MIB;

export interface Bench {
  readonly programs: Programs;
  readonly rows: Rows;
  /** For sockets and runtime folders; removed at the end. */
  readonly folder: string;
  /** Of the device, 32 hexadecimal digits. */
  readonly uuid: string;
  readonly largeBytes: number;
  readonly many: number;
  readonly rounds: number;
  /** Why CUDA cannot be used; undefined if it can. */
  readonly noCuda: string | undefined;
  readonly say: (text: string) => void;
}

/** Runs a step that is to measure these rows. If it fails, those that it has not measured are skipped. */
export async function attempt(
  { rows, say }: Pick<Bench, 'rows' | 'say'>,
  names: readonly RowName[],
  what: string,
  work: () => Promise<void>,
): Promise<void> {
  say(what);
  try {
    await work();
  } catch (failure) {
    say(`${what}: ${reasonOf(failure)}`);
    rows.skipped(names, reasonOf(failure));
  }
}

/** The native side of a row, or why it is missing. */
export async function native(
  { noCuda }: Bench,
  measure: () => Promise<readonly number[]>,
): Promise<{ readonly native?: readonly number[]; readonly note?: string }> {
  if (noCuda !== undefined) return { note: `native: ${noCuda}` };
  try {
    return { native: await measure() };
  } catch (failure) {
    return { note: `native: ${reasonOf(failure)}` };
  }
}

/** Of this many rounds, one after the other. */
export async function repeat<T>(rounds: number, round: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let index = 0; index < rounds; index += 1) results.push(await round(index));
  return results;
}

export const newFolder = ({ folder }: Pick<Bench, 'folder'>): string => mkdtempSync(join(folder, 'run-'));

/** A daemon in a folder of its own. */
export function startDaemon(bench: Pick<Bench, 'folder'>): Promise<BenchDaemon> {
  return within(START_MS, 'the start of a daemon', BenchDaemon.start(newFolder(bench)));
}

export const socketOf = ({ runtimeDir }: { readonly runtimeDir: string }): string =>
  join(runtimeDir, HANDOFF_SOCKET);

/** A session of this process, which is closed with its memory. */
export const open = ({ runtimeDir }: { readonly runtimeDir: string }): Promise<Client> =>
  connect({ runtimeDir, clientName: 'bench:gpu', timeoutMs: 60_000 });

/** Named OPAQUE_FD memory without a grant, which is freed with the result. */
export async function named(client: Client, name: string, size: number): Promise<AsyncDisposable> {
  const memory = await client.allocate({ size, name, kinds: ['OPAQUE_FD'], grant: [] });
  return {
    async [Symbol.asyncDispose]() {
      await memory.free();
    },
  };
}
