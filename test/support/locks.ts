/**
 * A real daemon with one NAMED allocation that has a sharing mode, and the requests of its sessions, for
 * tests of locks.
 */
import { errorOf } from '@vkmemd/proto';
import type { Test } from 'tap';
import { ControlWire } from './control-wire.js';
import { startDaemon, type TestDaemon } from './daemon.js';
import { HandoffWire, type Received } from './handoff-wire.js';

export const kinds = ['KIND_MAPPABLE'] as const;
export const NAME = 'shared';
export const ref = { name: NAME };
export const PATIENCE_MS = 60_000;
type Access = 'rw' | 'ro';
type Mode = 'SHARING_ONE_WRITER' | 'SHARING_EXCLUSIVE';

export interface Host extends TestDaemon {
  readonly control: ControlWire;
}

/** A daemon with one NAMED allocation and no grants. */
export async function start(t: Test, sharing: Mode): Promise<Host> {
  const daemon = await startDaemon(t);
  const control = new ControlWire(daemon.runtimeDir);
  t.teardown(() => control.close());
  await control.call('Allocate', { sizeBytes: 4096n, kinds, name: NAME, sharing });
  return { ...daemon, control };
}

type Session = Awaited<ReturnType<typeof HandoffWire.open>>;

export const five = ({ runtimeDir }: Host): Promise<[Session, Session, Session, Session, Session]> =>
  Promise.all([
    HandoffWire.open(runtimeDir),
    HandoffWire.open(runtimeDir),
    HandoffWire.open(runtimeDir),
    HandoffWire.open(runtimeDir),
    HandoffWire.open(runtimeDir),
  ]);

export const claimOf = (access: Access, waitMs = 0) => ({
  allocation: ref,
  kinds,
  access: access === 'ro' ? ('ACCESS_READ_ONLY' as const) : ('ACCESS_READ_WRITE' as const),
  waitMs,
});

/** Claims and closes the fds of the answer. @returns the grant's id. */
export async function claim(wire: HandoffWire, access: Access, waitMs = 0): Promise<bigint> {
  return taken(await wire.ask({ claim: claimOf(access, waitMs) }));
}

function taken({ message, fds }: Received): bigint {
  for (const fd of fds) fd.close();
  if (message.error) throw errorOf(message.error);
  return message.claim?.grants[0]?.id ?? 0n;
}

export const release = (wire: HandoffWire, grantId: bigint) => wire.ask({ release: { grantId } });
export const writerOf = async ({ control }: Host) =>
  (await control.call('GetAllocation', { allocation: ref })).allocation?.writerSessionId;

/** The state of a wait after the daemon has answered unrelated requests: 'waits', or 'over'. */
export async function stateOf(host: Host, wait: Promise<unknown>): Promise<'waits' | 'over'> {
  const over = wait.then(
    () => 'over' as const,
    () => 'over' as const,
  );
  for (let i = 0; i < 3; i += 1) await host.control.budget();
  return Promise.race([over, new Promise<'waits'>((resolve) => setImmediate(() => resolve('waits')))]);
}

export async function finish(host: Host, ...wires: HandoffWire[]): Promise<void> {
  for (const wire of wires) wire.close();
  await host.control.call('FreeAllocation', { allocation: ref });
}
