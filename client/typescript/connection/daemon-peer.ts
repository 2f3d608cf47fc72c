/**
 * Who listens on a daemon's socket. The kernel has recorded the user that called listen(): systemd's root, or that
 * of the daemon. Where others can write the folder of the socket, another program may listen there instead.
 */
import { readFileSync } from 'node:fs';
import { type OwnedFd, openSeqpacket, openStream, readPeer, VkmemError } from '@vkmemd/proto';
import { pause } from './backoff.js';
import { DEFAULT_TIMEOUT_MS } from './hello.js';

/** One uid, or several of which each is accepted. */
export type ExpectedUid = number | readonly number[];

/** Between two tries to connect while the queue is full; it doubles each time. */
const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [2, 64];
/** The user that the package's units run the daemon as. */
const DAEMON_USER = 'vkmemd';
const MAX_UID = 0xffff_fffe;
/** The paths that a warning has named, or that were found in order. */
const checked = new Set<string>();

/**
 * Connects to the handoff socket of a daemon of the expected user. The caller owns the fd. While the kernel's queue
 * of connections is full (EAGAIN), it waits and tries again.
 * @param expectUid Undefined: any user, with a warning if it is neither root, this user nor `vkmemd`.
 * @param timeoutMs Milliseconds to wait for a place in that queue; Infinity for no limit.
 * @param signal Ends the wait; its reason is thrown.
 * @throws VkmemError as openSeqpacket(); NOT_PERMITTED if the socket belongs to another user; INVALID_ARGUMENT if
 *   `expectUid` is not a uid.
 */
export async function openDaemon(
  path: string,
  expectUid?: ExpectedUid,
  timeoutMs = DEFAULT_TIMEOUT_MS,
  signal?: AbortSignal,
): Promise<OwnedFd> {
  const socket = await openQueued(path, timeoutMs, signal);
  try {
    requirePeer(socket, path, expectUid);
    return socket;
  } catch (failure) {
    socket.close();
    throw failure;
  }
}

async function openQueued(path: string, timeoutMs: number, signal?: AbortSignal): Promise<OwnedFd> {
  const end = performance.now() + timeoutMs;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    try {
      return openSeqpacket(path);
    } catch (failure) {
      if (!(failure instanceof VkmemError) || failure.metadata.errno !== 'EAGAIN') throw failure;
      const left = end - performance.now();
      if (left <= 0) throw queueFull(failure, timeoutMs);
      // Those that wait do not all try at the same time.
      await pause(Math.min(left, waitMs * (0.5 + Math.random())), [signal]);
      signal?.throwIfAborted();
    }
  }
}

function queueFull({ code, reason, metadata, cause, next }: VkmemError, ms: number): VkmemError {
  return new VkmemError(code, `${reason} It was full for ${ms} ms.`, { ...metadata }, cause, next);
}

/**
 * Connects to the control socket, only to see whose it is. A socket that cannot be reached is left to the call that
 * follows.
 * @throws VkmemError NOT_PERMITTED, INVALID_ARGUMENT as openDaemon().
 */
export function checkControl(path: string, expectUid?: ExpectedUid): void {
  if (expectUid === undefined && checked.has(path)) return;
  let socket: OwnedFd;
  try {
    socket = openStream(path);
  } catch {
    return;
  }
  try {
    requirePeer(socket, path, expectUid);
  } finally {
    socket.close();
  }
}

/**
 * @param socket Connected; borrowed.
 * @throws VkmemError as openDaemon().
 */
export function requirePeer(socket: OwnedFd, path: string, expectUid?: ExpectedUid): void {
  const { uid, pidfd } = readPeer(socket.fd);
  pidfd?.close();
  const expected = expectUid === undefined ? undefined : checkExpected([expectUid].flat());
  if (expected?.includes(uid)) return;
  if (expected) {
    const reason = `${path} belongs to a process of the user ${uid}; expected is ${expected.join(' or ')}.`;
    const next = 'Check which program listens there, or pass the uid of the daemon as expectUid.';
    throw new VkmemError('NOT_PERMITTED', reason, { uid: String(uid) }, undefined, next);
  }
  if (checked.has(path)) return;
  checked.add(path);
  if (uid === 0 || uid === process.geteuid?.() || uid === uidOfDaemon()) return;
  const what = `${path} belongs to a process of the user ${uid}, neither root, ${DAEMON_USER} nor this user`;
  process.emitWarning(`${what}. If that is the daemon, pass its uid as expectUid.`, 'VkmemdPeerWarning');
}

function checkExpected(uids: readonly number[]): readonly number[] {
  const wrong = uids.find((uid) => !Number.isInteger(uid) || uid < 0 || uid > MAX_UID);
  if (wrong === undefined && uids.length > 0) return uids;
  const reason = `expectUid: ${wrong ?? 'an empty list'} is not a uid from 0 to ${MAX_UID}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'expectUid' });
}

/** Undefined if this host has no such user. */
function uidOfDaemon(): number | undefined {
  try {
    const users = readFileSync('/etc/passwd', 'utf8').split('\n');
    const [, , uid] = users.map((line) => line.split(':')).find(([name]) => name === DAEMON_USER) ?? [];
    return uid === undefined ? undefined : Number(uid);
  } catch {
    return undefined;
  }
}
