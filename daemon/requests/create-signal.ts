/**
 * CreateSignal: makes two eventfds with which two sessions wake each other, and the secret that opens them.
 */
import { requireSession } from '../memory/session/caller.js';
import type { Signals } from '../memory/session/signals.js';
import type { Handler } from './handler.js';

/**
 * @throws VkmemError SESSION_REQUIRED, QUOTA_EXCEEDED, TOO_MANY_FILES, LEDGER_FULL; UNAVAILABLE if the service
 *   manager does not store the eventfds.
 */
export function createSignal({ signals }: { readonly signals: Signals }): Handler<'CreateSignal'> {
  return async (caller) => {
    const { secret, fds } = await signals.create(requireSession(caller));
    return { response: { secret }, fds };
  };
}
