/**
 * OpenSignal: returns the eventfds of a signal to the holder of its secret. A wrong secret counts as a failed
 * ticket attempt.
 */
import { requireSession } from '../memory/session/caller.js';
import type { Signals } from '../memory/session/signals.js';
import type { Tickets } from '../memory/ticket/tickets.js';
import type { Handler } from './handler.js';

interface Collaborators {
  readonly signals: Signals;
  readonly tickets: Tickets;
}

/** @throws VkmemError SESSION_REQUIRED, TICKET_INVALID, LEDGER_FULL. */
export function openSignal({ signals, tickets }: Collaborators): Handler<'OpenSignal'> {
  return (caller, { secret }) => {
    requireSession(caller);
    return { response: {}, fds: tickets.attempt(caller.identity, () => signals.open(secret)) };
  };
}
