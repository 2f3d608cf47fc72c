/**
 * A request on the handoff socket: what may be asked, what answers it, and what is left of it where no answer comes.
 *
 * A request that never left this process was not done, and can be asked again, or not, as its owner likes. Of one that
 * was sent and not answered nobody knows: the error says which it was, in its metadata.
 */
import { closeAll, type Decoded, type Draft, type OwnedFd, VkmemError } from '@vkmemd/proto';

/** The requests, by the name of their field in ClientMessage, and the field of ServerMessage that answers each. */
export const ANSWERS = {
  hello: 'welcome',
  allocate: 'allocate',
  claim: 'claim',
  release: 'release',
  free: 'free',
  import: 'import',
  createTicket: 'createTicket',
  revokeTicket: 'revokeTicket',
  publish: 'publish',
  joinIvshmem: 'joinIvshmem',
  createSignal: 'createSignal',
  openSignal: 'openSignal',
  entrust: 'entrust',
  endEntrusted: 'endEntrusted',
} as const;
export type Request = keyof typeof ANSWERS;

/** An answer and the file descriptors of its grants, in their order. The receiver owns them. */
export interface Answer<R extends Request> {
  readonly message: NonNullable<Decoded<'ServerMessage'>[(typeof ANSWERS)[R]]>;
  readonly fds: OwnedFd[];
}

/** Who asks the daemon for something: a connection, or what outlives one. */
export interface Requester {
  /**
   * Asks and waits for the answer.
   * @param fds go with the request. Taken, always: also where it is never sent.
   * @throws VkmemError what the daemon refuses with; PROTOCOL_ERROR where its answer does not add up; UNAVAILABLE
   *   where the connection ended before it came.
   */
  request<R extends Request>(
    request: R,
    fields: NonNullable<Draft<'ClientMessage'>[R]>,
    fds?: readonly OwnedFd[],
  ): Promise<Answer<R>>;
}

/** A request that has no answer yet. */
export interface Pending {
  readonly request: Request;
  readonly fields: Draft<'ClientMessage'>;
  /** Owned by the request until it is sent. */
  readonly fds: readonly OwnedFd[];
  /** The session that it belongs to, where it means nothing in another one. */
  readonly epoch?: object | undefined;
  /** How often it was sent, on whichever connection. */
  asked: number;
  resolve(answer: Answer<never>): void;
  reject(reason: unknown): void;
}

/** What takes the requests that are left when a connection ends; it settles each, and closes its fds. */
export type ConnectionLost = (left: readonly Pending[], reason: VkmemError) => void;

/** What a request without an answer ends with. A connection's end that nothing can mend is told as it is. */
export function unanswered({ asked }: Pending, reason: VkmemError): VkmemError {
  if (reason.code !== 'UNAVAILABLE') return reason;
  const outcome = asked === 0 ? 'not-done' : 'unknown';
  return new VkmemError('UNAVAILABLE', reason.reason, { retryable: 'true', outcome }, reason);
}

/** Rejects a request that is given up. Its fds are closed. */
export function refuse(pending: Pending, failure: VkmemError): void {
  closeAll(pending.fds);
  pending.reject(failure);
}

export const rejectAll: ConnectionLost = (left, reason) => {
  for (const pending of left) refuse(pending, reason);
};
