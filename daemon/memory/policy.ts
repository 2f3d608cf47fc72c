/**
 * Policy: who may do what, decided by what the kernel said of the caller and by nothing that a message says.
 *
 * An allocation belongs to a user. The same user may see, claim, copy and free it; operators (root and the daemon's
 * own user) may do so with every allocation; nobody else may.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Session } from './session.js';
import type { Party } from './turns.js';

/** Users who may import memory of their own; operators too must be named. */
export type Importers = ReadonlySet<number>;

/** What the kernel said of a peer when its connection was accepted. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly groups: readonly number[];
}

/** Who makes a request: a peer, and its session where it has one. */
export interface Caller {
  readonly identity: Identity;
  readonly session: Session | undefined;
  /** Whether nobody waits for the answer any more: it was cancelled, or the session has ended. */
  gone(): boolean;
}

/** @throws VkmemError UNAVAILABLE where the caller is gone: what would be done is worth nothing to anybody. */
export function requirePresent(caller: Caller): void {
  if (caller.gone()) throw new VkmemError('UNAVAILABLE', 'The caller is gone.');
}

const daemonUid = process.getuid?.() ?? -1;

export function isOperator(identity: Identity): boolean {
  return identity.uid === 0 || identity.uid === daemonUid;
}

/** Whether the caller may see, claim, copy and free what `ownerUid` owns. */
export function mayUse(identity: Identity, ownerUid: number): boolean {
  return identity.uid === ownerUid || isOperator(identity);
}

/** @throws VkmemError NOT_PERMITTED where mayUse says no. */
export function requireUse(identity: Identity, ownerUid: number): void {
  if (mayUse(identity, ownerUid)) return;
  throw new VkmemError(
    'NOT_PERMITTED',
    `It belongs to user ${ownerUid}, the caller is user ${identity.uid}.`,
  );
}

/**
 * Whether the kernel keeps a holder with a read-only fd from opening the memfd again for writing: its mode is 0600,
 * so it can only be reopened by the daemon's own user and by root.
 */
export function readOnlyIsEnforced(identity: Identity): boolean {
  return !isOperator(identity);
}

/** @throws VkmemError NOT_PERMITTED unless the daemon was told that this user may import. */
export function requireImport(importers: Importers, { uid }: Identity): void {
  if (importers.has(uid)) return;
  throw new VkmemError(
    'NOT_PERMITTED',
    `User ${uid} may not import memory; vkmemd --allow-import names who may.`,
  );
}

/**
 * A software driver keeps data of its own at the start of the memory behind an OPAQUE_FD and believes it when the
 * memory is freed: whoever can write there can end the daemon. There only operators hand such fds over or get one.
 * @throws VkmemError NOT_PERMITTED.
 */
export function requireTrust(deviceType: string, identity: Identity): void {
  if (deviceType !== 'cpu' || isOperator(identity)) return;
  throw new VkmemError('NOT_PERMITTED', 'On a software device an OPAQUE_FD is for operators only.', {
    kind: 'OPAQUE_FD',
  });
}

/** Who waits for a turn. */
export function partyOf({ session, identity }: Caller): Party {
  return { uid: identity.uid, session: session?.id };
}

/** @throws VkmemError SESSION_REQUIRED where the caller has none. */
export function requireSession(caller: Caller): Session {
  if (!caller.session) throw new VkmemError('SESSION_REQUIRED', 'Only a session holds grants.');
  return caller.session;
}
