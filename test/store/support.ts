/**
 * Shared by tests of restarts: allocations filled with a byte and read back by claims, and the daemon's
 * counts.
 */
import { join } from 'node:path';
import { type Decoded, mapFd, type OwnedFd } from '@vkmemd/proto';
import type { Test } from 'tap';
import { LedgerFile } from 'vkmemd/dist/store/ledger-file.js';
import { ControlWire } from '../support/control-wire.js';
import { type Greeted, type SupervisedDaemon, until } from '../support/supervised-daemon.js';

export const kinds = ['KIND_MAPPABLE'] as const;

/** Runs `work` with a control connection of its own. */
export async function controlled<T>(
  daemon: SupervisedDaemon,
  work: (control: ControlWire) => Promise<T>,
): Promise<T> {
  const control = new ControlWire(daemon.runtimeDir);
  try {
    return await work(control);
  } finally {
    control.close();
  }
}

export const list = (daemon: SupervisedDaemon): Promise<Decoded<'Allocation'>[]> =>
  controlled(daemon, async (control) => (await control.call('ListAllocations', {})).allocations);

export const budget = (daemon: SupervisedDaemon): Promise<Decoded<'GetBudgetResponse'>> =>
  controlled(daemon, (control) => control.call('GetBudget', {}));

export interface Held {
  readonly id: string;
  readonly grantId: bigint;
  readonly fd: OwnedFd;
}

/** Allocates with a MAPPABLE grant, and fills it with the byte. */
export async function allocate(
  wire: Greeted,
  byte: number,
  { name = '', requestId = '', sizeBytes = 8192n, ...more } = {},
): Promise<Held> {
  const { message, fds } = await wire.ask({
    allocate: { sizeBytes, kinds, grantKinds: kinds, name, requestId, ...more },
  });
  const [fd] = fds;
  const [grant] = message.allocate?.grants ?? [];
  if (!fd || !grant || !message.allocate?.allocation) throw new Error('nothing was granted');
  const mapping = mapFd(fd, { offset: 0n, length: Number(sizeBytes), access: 'rw' });
  new Uint8Array(mapping.buffer).fill(byte);
  mapping.unmap();
  return { id: message.allocate.allocation.id, grantId: grant.id, fd };
}

/** Claims it for reading. */
export async function claim(wire: Greeted, allocation: { id?: string; name?: string }): Promise<Held> {
  const { message, fds } = await wire.ask({ claim: { allocation, kinds, access: 'ACCESS_READ_ONLY' } });
  const [fd] = fds;
  const [grant] = message.claim?.grants ?? [];
  if (!fd || !grant) throw new Error('nothing was granted');
  return { id: grant.allocationId, grantId: grant.id, fd };
}

/** Whether every byte of it has this value. */
export function holds({ fd }: Held, byte: number, size = 8192): boolean {
  const mapping = mapFd(fd, { offset: 0n, length: size, access: 'ro' });
  const same = new Uint8Array(mapping.buffer).every((found) => found === byte);
  mapping.unmap();
  return same;
}

/** Asserts that daemon and supervisor hold nothing. */
export async function nothingLeft(t: Test, daemon: SupervisedDaemon): Promise<void> {
  const counts = await until('counts of zero', async () => {
    const { counts, heaps } = await budget(daemon);
    const bytes = heaps.reduce((sum, { liveBytes, drainingBytes }) => sum + liveBytes + drainingBytes, 0n);
    const all = Object.values(counts ?? {}).reduce((sum: number, count) => sum + Number(count), 0);
    return all === 0 && bytes === 0n ? counts : undefined;
  }).catch(async (failure) => {
    t.comment(JSON.stringify((await budget(daemon)).counts));
    throw failure;
  });
  t.ok(counts, 'the daemon holds nothing');
  await until(`a supervisor that holds nothing\n${daemon.log}`, () => {
    const { memory, processes } = daemon.storedFds;
    return memory + processes === 0 ? true : undefined;
  });
  t.pass('the supervisor holds nothing');
}

/** Kills the daemon, runs `work` while none runs, and waits until the next one serves. */
export async function between(daemon: SupervisedDaemon, work: () => Promise<void>): Promise<void> {
  const pid = await until('a daemon', () => daemon.pid);
  process.kill(daemon.supervisor, 'SIGSTOP');
  process.kill(pid, 'SIGKILL');
  await work();
  process.kill(daemon.supervisor, 'SIGCONT');
  await daemon.gone(pid);
  await daemon.serving();
}

/** The same, with a change of the ledger. */
export function rewritten(daemon: SupervisedDaemon, change: (ledger: LedgerFile) => void): Promise<void> {
  return between(daemon, async () => {
    const ledger = LedgerFile.open(join(daemon.runtimeDir, 'state'));
    change(ledger);
    await ledger.close();
  });
}
