/**
 * Publishing, for whoever asks for it: the client for any allocation, Memory for its own.
 */
import { type Allocation, VkmemError } from '@vkmemd/proto';
import type { Requester } from './connection/request.js';
import { checkRef, type Ref } from './request/arguments.js';

/** @throws VkmemError as Client.publish(). */
export async function publish(handoff: Requester, ref: Ref): Promise<Allocation> {
  const { allocation } = (await handoff.request('publish', { allocation: checkRef(ref) })).message;
  if (allocation) return allocation;
  throw new VkmemError('PROTOCOL_ERROR', 'The answer describes no allocation.');
}
