/**
 * Asks for what the admin pages show: sends a request to its handler and decodes the answer, as a client of a
 * socket does. The pages know nothing else of the daemon.
 */
import {
  decode,
  encode,
  REQUESTS,
  type RequestDraft,
  type RequestOf,
  type ResponseOf,
  type UnaryRequest,
} from '@vkmemd/proto';
import type { Authority } from '../memory/authority.js';
import type { AnyCaller } from '../memory/session/caller.js';
import { requirePlane } from './access.js';
import type { OpenHandler } from './handler.js';
import type { Handlers } from './handlers.js';

/** @throws VkmemError NOT_PERMITTED if the caller may not send the request; the error of the request. */
export type Ask = <N extends Exclude<UnaryRequest, 'Hello'>>(
  caller: AnyCaller,
  name: N,
  request: RequestDraft<N>,
) => Promise<ResponseOf<N>>;

export function makeAsk(handlers: Handlers, authority: Authority): Ask {
  return async (caller, name, draft) => {
    requirePlane(authority, 'admin', caller, name);
    const { request, response } = REQUESTS[name];
    const decoded = decode(request, encode(request, draft as object)) as RequestOf<typeof name>;
    // A caller without an identity was admitted to open requests only.
    const handler = handlers[name] as OpenHandler<typeof name>;
    const answer = await handler(caller, decoded, []);
    const bytes =
      answer.response instanceof Uint8Array ? answer.response : encode(response, answer.response as object);
    return decode(response, bytes) as ResponseOf<typeof name>;
  };
}
