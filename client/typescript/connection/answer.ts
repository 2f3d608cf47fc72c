/**
 * Checks that an answer is consistent, before its file descriptors are used.
 *
 * The daemon is trusted with memory, but it may have defects: an fd without a grant would have no owner, and
 * a grant without its fd would get the fd of another grant. A grant of an RDMA address has no fd.
 */
import { type Decoded, type Grant, MAX_MESSAGE_FDS, requestsOf, VkmemError } from '@vkmemd/proto';

const fault = (reason: string): VkmemError => new VkmemError('PROTOCOL_ERROR', reason);

/**
 * The number of fds that an answer carries, by its field of ServerMessage. An answer with grants is absent:
 * its grants have the number.
 */
const FDS_OF: ReadonlyMap<string | undefined, number> = new Map(
  requestsOf('handoff').flatMap(([, { answer, fdsOut }]) =>
    fdsOut < MAX_MESSAGE_FDS ? [[answer, fdsOut]] : [],
  ),
);

/**
 * Checks the number of fds of an answer, and that its grants are of its allocation.
 * @param fds The number of fds that the datagram had.
 * @throws VkmemError PROTOCOL_ERROR.
 */
export function checkAnswer(message: Decoded<'ServerMessage'>, fds: number): void {
  if (message.fdCount !== fds)
    throw fault(`The answer has ${fds} fds, but its fd_count is ${message.fdCount}.`);
  const due = fdsDue(message);
  if (due !== fds) throw fault(`The answer has ${fds} fds, but its content requires ${due}.`);
}

/** The number of fds that the content of an answer requires. */
function fdsDue(message: Decoded<'ServerMessage'>): number {
  const granting = message.allocate ?? message.claim ?? message.import;
  if (granting) return checkGrants(granting);
  const ofSemaphore = message.createSemaphore ?? message.claimSemaphore;
  if (ofSemaphore) return ofSemaphore.grant?.fdCount ?? 0;
  const { allocateMany, claimMany } = message;
  const made =
    allocateMany?.outcomes.map(({ made }) => made) ?? claimMany?.outcomes.map(({ granted }) => granted);
  if (!made) return FDS_OF.get(message.body) ?? 0;
  return made.reduce((sum, one) => sum + (one ? checkGrants(one) : 0), 0);
}

function checkGrants({ allocation, grants }: { allocation: { id: string } | null; grants: Grant[] }): number {
  if (!allocation) throw fault('The answer lacks the allocation.');
  for (const grant of grants) {
    if (grant.allocationId === allocation.id) continue;
    throw fault(
      `Grant ${grant.id} is of allocation ${grant.allocationId}, but the answer is of ${allocation.id}.`,
    );
  }
  return grants.reduce((sum, { fdCount }) => sum + fdCount, 0);
}

/**
 * A part of an answer that the schema allows to be absent but the daemon always sends.
 * @throws VkmemError PROTOCOL_ERROR if it is absent.
 */
export function present<T>(part: T | null): T {
  if (part === null) throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks the requested part.');
  return part;
}
