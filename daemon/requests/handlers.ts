/**
 * The handlers of all requests, by their names in the table of requests (proto/contract/requests.ts). Both
 * planes dispatch with it.
 */
import type { PartsRequest, StreamRequest, UnaryRequest } from '@vkmemd/proto';
import { allocate } from './allocate.js';
import { allocateMany } from './allocate-many.js';
import { claim } from './claim.js';
import { claimMany } from './claim-many.js';
import { claimSemaphore } from './claim-semaphore.js';
import { createSemaphore } from './create-semaphore.js';
import { createSignal } from './create-signal.js';
import { createTicket } from './create-ticket.js';
import { endEntrusted } from './end-entrusted.js';
import { entrust } from './entrust.js';
import { free } from './free.js';
import { freeSemaphore } from './free-semaphore.js';
import { getAllocation } from './get-allocation.js';
import { getBudget } from './get-budget.js';
import { getHealth } from './get-health.js';
import { getMetrics } from './get-metrics.js';
import { getQuota } from './get-quota.js';
import { getSemaphore } from './get-semaphore.js';
import { getStatus } from './get-status.js';
import type { Handler, OpenHandler, PartsHandler, StreamHandler } from './handler.js';
import { importMemory } from './import.js';
import { joinIvshmem } from './join-ivshmem.js';
import { listAllocations } from './list-allocations.js';
import { listDevices } from './list-devices.js';
import { listIvshmem } from './list-ivshmem.js';
import { listQuotas } from './list-quotas.js';
import { listSemaphores } from './list-semaphores.js';
import { listSessions } from './list-sessions.js';
import { listTickets } from './list-tickets.js';
import { openSignal } from './open-signal.js';
import { publish } from './publish.js';
import { release } from './release.js';
import { reloadPolicy } from './reload-policy.js';
import { revokeTicket } from './revoke-ticket.js';
import { serveIvshmem } from './serve-ivshmem.js';
import { setQuota } from './set-quota.js';
import { signalSemaphore } from './signal-semaphore.js';
import { stopIvshmem } from './stop-ivshmem.js';
import { transfer } from './transfer.js';
import { waitSemaphore } from './wait-semaphore.js';
import { watchAllocations } from './watch-allocations.js';
import { watchBudget } from './watch-budget.js';

/** The requests that a caller without an identity may send. */
export type OpenRequest = 'GetHealth' | 'GetMetrics' | 'GetStatus';
/** All requests but Hello, which is served before there is a caller. */
export type Handlers = {
  readonly [N in Exclude<UnaryRequest, 'Hello'>]: N extends OpenRequest ? OpenHandler<N> : Handler<N>;
};
export type PartsHandlers = { readonly [N in PartsRequest]: PartsHandler<N> };
export type StreamHandlers = { readonly [N in StreamRequest]: StreamHandler<N> };

/** The collaborators of all requests but the streams. */
type Collaborators = Parameters<typeof allocate>[0] &
  Parameters<typeof claim>[0] &
  Parameters<typeof createSignal>[0] &
  Parameters<typeof createTicket>[0] &
  Parameters<typeof endEntrusted>[0] &
  Parameters<typeof entrust>[0] &
  Parameters<typeof free>[0] &
  Parameters<typeof getBudget>[0] &
  Parameters<typeof getMetrics>[0] &
  Parameters<typeof getQuota>[0] &
  Parameters<typeof getStatus>[0] &
  Parameters<typeof joinIvshmem>[0] &
  Parameters<typeof listAllocations>[0] &
  Parameters<typeof listDevices>[0] &
  Parameters<typeof listIvshmem>[0] &
  Parameters<typeof listQuotas>[0] &
  Parameters<typeof listSessions>[0] &
  Parameters<typeof listTickets>[0] &
  Parameters<typeof openSignal>[0] &
  Parameters<typeof publish>[0] &
  Parameters<typeof reloadPolicy>[0] &
  Parameters<typeof serveIvshmem>[0] &
  Parameters<typeof setQuota>[0] &
  Parameters<typeof claimSemaphore>[0] &
  Parameters<typeof createSemaphore>[0] &
  Parameters<typeof freeSemaphore>[0] &
  Parameters<typeof getSemaphore>[0] &
  Parameters<typeof listSemaphores>[0] &
  Parameters<typeof signalSemaphore>[0] &
  Parameters<typeof waitSemaphore>[0] &
  Parameters<typeof transfer>[0];

/** The collaborators of the requests that are answered in parts. */
type PartsCollaborators = Parameters<typeof allocateMany>[0] & Parameters<typeof claimMany>[0];
/** The collaborators of the streams. */
type StreamCollaborators = Parameters<typeof watchAllocations>[0] & Parameters<typeof watchBudget>[0];

export const makeHandlers = (core: Collaborators): Handlers => ({
  Allocate: allocate(core),
  Claim: claim(core),
  CreateSignal: createSignal(core),
  CreateTicket: createTicket(core),
  EndEntrusted: endEntrusted(core),
  Entrust: entrust(core),
  Free: free(core),
  GetAllocation: getAllocation(core),
  GetBudget: getBudget(core),
  GetHealth: getHealth(),
  GetMetrics: getMetrics(core),
  GetQuota: getQuota(core),
  GetStatus: getStatus(core),
  Import: importMemory(core),
  JoinIvshmem: joinIvshmem(core),
  ListAllocations: listAllocations(core),
  ListDevices: listDevices(core),
  ListIvshmem: listIvshmem(core),
  ListQuotas: listQuotas(core),
  ListSessions: listSessions(core),
  ListTickets: listTickets(core),
  OpenSignal: openSignal(core),
  Publish: publish(core),
  Release: release(core),
  ReloadPolicy: reloadPolicy(core),
  RevokeTicket: revokeTicket(core),
  ServeIvshmem: serveIvshmem(core),
  SetQuota: setQuota(core),
  StopIvshmem: stopIvshmem(core),
  ClaimSemaphore: claimSemaphore(core),
  CreateSemaphore: createSemaphore(core),
  FreeSemaphore: freeSemaphore(core),
  GetSemaphore: getSemaphore(core),
  ListSemaphores: listSemaphores(core),
  SignalSemaphore: signalSemaphore(core),
  WaitSemaphore: waitSemaphore(core),
  Transfer: transfer(core),
});

export const makePartsHandlers = (core: PartsCollaborators): PartsHandlers => ({
  AllocateMany: allocateMany(core),
  ClaimMany: claimMany(core),
});

export const makeStreamHandlers = (core: StreamCollaborators): StreamHandlers => ({
  WatchAllocations: watchAllocations(core),
  WatchBudget: watchBudget(core),
});
