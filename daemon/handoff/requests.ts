/**
 * The handoff socket's requests: which use case answers which message.
 */
import { type Decoded, type Draft, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { free } from '../memory/allocation/draining.js';
import { publish } from '../memory/allocation/publication.js';
import type { Domain } from '../memory/domain.js';
import { claim, release } from '../memory/grant/grant.js';
import { type Caller, requireSession } from '../memory/session/caller.js';
import { allocate, importMemory } from '../requests/allocate.js';
import { endEntrusted, entrust } from '../requests/entrust.js';
import { joinIvshmem } from '../requests/join-ivshmem.js';
import { createSignal, openSignal } from '../requests/signals.js';
import { createTicket, revokeTicket } from '../requests/tickets.js';

/** The body of an answer, and the file descriptors that travel with it; the receiver owns them. */
export interface Answer {
  readonly response: Draft<'ServerMessage'>;
  readonly fds: OwnedFd[];
}

/**
 * @param incoming fds that came with the message (frame.ts); taken over.
 * @throws VkmemError whatever the use case refuses with.
 */
export async function serve(
  domain: Domain,
  caller: Caller,
  message: Decoded<'ClientMessage'>,
  incoming: readonly OwnedFd[],
): Promise<Answer> {
  if (message.import) {
    const { response, fds } = await importMemory(domain, caller, message.import, incoming);
    return { response: { import: response }, fds };
  }
  if (message.allocate) {
    const { response, fds } = await allocate(domain, caller, message.allocate);
    return { response: { allocate: response }, fds };
  }
  if (message.claim) {
    const { response, fds } = await claim(domain, caller, message.claim);
    return { response: { claim: response }, fds };
  }
  if (message.release) {
    release(domain, requireSession(caller), message.release);
    return { response: { release: {} }, fds: [] };
  }
  if (message.free) {
    return { response: { free: await free(domain, caller, message.free) }, fds: [] };
  }
  if (message.createTicket) {
    return { response: { createTicket: createTicket(domain, caller, message.createTicket) }, fds: [] };
  }
  if (message.revokeTicket) {
    return { response: { revokeTicket: revokeTicket(domain, caller, message.revokeTicket) }, fds: [] };
  }
  if (message.publish) {
    return { response: { publish: await publish(domain, caller, message.publish) }, fds: [] };
  }
  if (message.joinIvshmem) {
    const { response, fds } = await joinIvshmem(domain, caller, message.joinIvshmem);
    return { response: { joinIvshmem: response }, fds };
  }
  if (message.createSignal) {
    const { response, fds } = createSignal(domain, caller);
    return { response: { createSignal: response }, fds };
  }
  if (message.openSignal) {
    const { response, fds } = openSignal(domain, caller, message.openSignal);
    return { response: { openSignal: response }, fds };
  }
  if (message.entrust) {
    return { response: { entrust: await entrust(domain, caller, message.entrust, incoming) }, fds: [] };
  }
  if (message.endEntrusted) {
    await endEntrusted(domain, caller, message.endEntrusted);
    return { response: { endEntrusted: {} }, fds: [] };
  }
  throw new VkmemError('PROTOCOL_ERROR', `${message.body} is not a request.`);
}
