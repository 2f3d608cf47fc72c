/**
 * Consistency of an answer, checked before its file descriptors are used.
 *
 * The daemon is trusted with memory, but it may have defects: an fd that belongs to no grant would have no
 * owner, and a grant without its fd would get that of another grant. A grant of an RDMA address has no fd.
 */
import { type Decoded, type Grant, MAX_MESSAGE_FDS, requestsOf, VkmemError } from '@vkmemd/proto';

const fault = (reason: string): VkmemError => new VkmemError('PROTOCOL_ERROR', reason);

/**
 * How many fds an answer carries, by its field of ServerMessage; those of grants are counted in the answer.
 */
const FDS_OF: ReadonlyMap<string | undefined, number> = new Map(
  requestsOf('handoff').flatMap(([, { answer, fdsOut }]) =>
    fdsOut < MAX_MESSAGE_FDS ? [[answer, fdsOut]] : [],
  ),
);

/**
 * @param fds how many file descriptors came with the datagram.
 * @throws VkmemError PROTOCOL_ERROR.
 */
export function checkAnswer(message: Decoded<'ServerMessage'>, fds: number): void {
  if (message.fdCount !== fds) throw fault(`fd_count is ${message.fdCount}, and ${fds} came.`);
  const granting = message.allocate ?? message.claim ?? message.import;
  const due = granting ? checkGrants(granting) : (FDS_OF.get(message.body) ?? 0);
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

/** A part of an answer that the schema allows to be absent and the daemon always sends. */
export function present<T>(part: T | null): T {
  if (part === null) throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks what was asked for.');
  return part;
}
