/**
 * Use cases: make a signal, open one. A guess of a secret counts as a guess of a ticket's does.
 */
import type { Decoded } from '@vkmemd/proto';
import type { Domain } from '../memory/domain.js';
import { type Caller, requireSession } from '../memory/session/caller.js';
import type { WithFds } from './allocate.js';

/** @throws VkmemError SESSION_REQUIRED, QUOTA_EXCEEDED, TOO_MANY_FILES. */
export function createSignal(domain: Domain, caller: Caller): WithFds<Decoded<'CreateSignalResponse'>> {
  const { secret, fds } = domain.signals.create(requireSession(caller));
  return { response: { secret }, fds };
}

/** @throws VkmemError SESSION_REQUIRED, TICKET_INVALID. */
export function openSignal(
  domain: Domain,
  caller: Caller,
  { secret }: Decoded<'OpenSignalRequest'>,
): WithFds<Decoded<'OpenSignalResponse'>> {
  requireSession(caller);
  return { response: {}, fds: domain.tickets.guessed(caller.identity, () => domain.signals.open(secret)) };
}
