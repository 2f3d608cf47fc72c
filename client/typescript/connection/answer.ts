/**
 * Whether an answer adds up, before anybody uses what came with it.
 *
 * The daemon is trusted with memory, but not to be free of defects: an fd that no grant speaks of would have no
 * owner, and a grant without its fd would send its user to somebody else's. A grant may have no fd by its nature: that of
 * an RDMA address.
 */
import { type Decoded, type Grant, VkmemError } from '@vkmemd/proto';

const fault = (reason: string): VkmemError => new VkmemError('PROTOCOL_ERROR', reason);

/** Fds of answers without grants. */
const FDS_OF: Readonly<Record<string, number>> = { joinIvshmem: 1, createSignal: 2, openSignal: 2 };

/**
 * @param fds how many file descriptors came with the datagram.
 * @throws VkmemError PROTOCOL_ERROR.
 */
export function checkAnswer(message: Decoded<'ServerMessage'>, fds: number): void {
  if (message.fdCount !== fds) throw fault(`fd_count is ${message.fdCount}, and ${fds} came.`);
  const granting = message.allocate ?? message.claim ?? message.import;
  const due = granting ? checkGrants(granting) : (FDS_OF[message.body ?? ''] ?? 0);
  if (due !== fds) throw fault(`The answer speaks of ${due} fds, and ${fds} came.`);
}

function checkGrants({ allocation, grants }: { allocation: { id: string } | null; grants: Grant[] }): number {
  if (!allocation) throw fault('The answer describes no allocation.');
  for (const grant of grants) {
    if (grant.allocationId === allocation.id) continue;
    throw fault(`Grant ${grant.id} is of ${grant.allocationId}, the answer of ${allocation.id}.`);
  }
  return grants.reduce((sum, { fdCount }) => sum + fdCount, 0);
}

/** A part of an answer that the schema lets be absent and the daemon does not. */
export function present<T>(part: T | null): T {
  if (part === null) throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks what was asked for.');
  return part;
}
