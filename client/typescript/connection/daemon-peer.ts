/**
 * Who listens on a daemon's socket. The kernel has recorded the user that called listen(): systemd's root, or that
 * of the daemon. Where others can write the folder of the socket, another program may listen there instead.
 */
import { readFileSync } from 'node:fs';
import { type OwnedFd, openSeqpacket, openStream, readPeer, VkmemError } from '@vkmemd/proto';

/** One uid, or several of which each is accepted. */
export type ExpectedUid = number | readonly number[];

/** The user that the package's units run the daemon as. */
const DAEMON_USER = 'vkmemd';
const MAX_UID = 0xffff_fffe;
/** The paths that a warning has named, or that were found in order. */
const checked = new Set<string>();

/**
 * Connects to the handoff socket of a daemon of the expected user. The caller owns the fd.
 * @param expectUid Undefined: any user, with a warning if it is neither root, this user nor `vkmemd`.
 * @throws VkmemError as openSeqpacket(); NOT_PERMITTED if the socket belongs to another user; INVALID_ARGUMENT if
 *   `expectUid` is not a uid.
 */
export function openDaemon(path: string, expectUid?: ExpectedUid): OwnedFd {
  const socket = openSeqpacket(path);
  try {
    requirePeer(socket, path, expectUid);
    return socket;
  } catch (failure) {
    socket.close();
    throw failure;
  }
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
  const reason = `expectUid: ${wrong ?? 'an empty list'} is not a uid.`;
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
