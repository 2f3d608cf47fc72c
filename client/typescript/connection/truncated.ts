/**
 * Answers whose fds this process could not receive, because it has too many open (EMFILE). The kernel drops what
 * does not fit, so the request has failed, although the daemon has served it: what it made is released.
 */
import { readFileSync } from 'node:fs';
import { type Decoded, type HandoffRequest, type RequestDraft, VkmemError } from '@vkmemd/proto';

/** A request that undoes another one. */
export type Undo = { [R in HandoffRequest]: readonly [request: R, fields: RequestDraft<R>] }[HandoffRequest];

const MAX_FILES = /^Max open files\s+(\S+)/m;

/** This process's soft RLIMIT_NOFILE; undefined without /proc, or without an fd to read it. */
function maxFiles(): string | undefined {
  try {
    return MAX_FILES.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}

/** The limit at the start: once it is reached, it cannot be read. */
const atStart = maxFiles();

/** The error of this process's own limit. @param what What failed. */
export function tooManyFiles(what: string, cause?: unknown): VkmemError {
  const limit = maxFiles() ?? atStart;
  const value = limit === undefined ? '' : ` is ${limit}`;
  const metadata = { whose: 'client', ...(limit !== undefined && { limit }) };
  const next = "Raise this process's limit (ulimit -n, LimitNOFILE=), or close fds.";
  return new VkmemError('TOO_MANY_FILES', `${what}: its RLIMIT_NOFILE${value}.`, metadata, cause, next);
}

/**
 * The requests that release what an answer has granted. Allocations that it created are freed: no other request returned
 * them. The daemon ends a peer of an ivshmem server whose connection is closed.
 */
export function undoOf(message: Decoded<'ServerMessage'>): Undo[] {
  const made = message.allocate ?? message.import;
  if (made?.allocation) return [['Free', { allocation: { id: made.allocation.id } }]];
  if (message.claim) return releases(message.claim);
  if (message.claimMany)
    return message.claimMany.outcomes.flatMap(({ granted }) => (granted ? releases(granted) : []));
  if (message.allocateMany) {
    const ids = message.allocateMany.outcomes.flatMap(({ made }) => made?.allocation?.id ?? []);
    return ids.map((id) => ['Free', { allocation: { id } }]);
  }
  const { semaphore } = message.createSemaphore ?? {};
  if (semaphore) return [['FreeSemaphore', { semaphore: { id: semaphore.id } }]];
  // Its side is opened, and closed again.
  if (message.createSignal) return [['OpenSignal', { secret: message.createSignal.secret }]];
  return [];
}

const releases = ({ grants }: Decoded<'ClaimResponse'>): Undo[] =>
  grants.map(({ id }) => ['Release', { grantId: id }]);
