/**
 * The gRPC methods: which use case answers which method.
 */
import { type Decoded, encode, VkmemError } from '@vkmemd/proto';
import { free } from '../memory/allocation/draining.js';
import { publish } from '../memory/allocation/publication.js';
import type { Domain } from '../memory/domain.js';
import { reloadPolicy } from '../memory/reload.js';
import { type Caller, partyOf } from '../memory/session/caller.js';
import { watchBudget } from '../memory/watch/watch.js';
import { watchAllocations } from '../memory/watch/watch-allocations.js';
import { allocate } from '../requests/allocate.js';
import { getAllocation, getBudget, listAllocations, listDevices } from '../requests/inspect.js';
import { getQuota, listQuotas, setQuota } from '../requests/quotas.js';
import { listIvshmem, serveIvshmem, stopIvshmem } from '../requests/serve-ivshmem.js';
import { createTicket, listTickets, revokeTicket } from '../requests/tickets.js';
import { transfer } from '../requests/transfer.js';

/** A method's way into the domain, to an answer or to its bytes. */
export type Method = (domain: Domain, caller: Caller, request: never) => unknown;

/** The same for one that answers again and again, until the signal is aborted; then it throws the signal's reason. */
export type Stream = (
  domain: Domain,
  caller: Caller,
  request: never,
  signal: AbortSignal,
) => AsyncIterable<object>;

export const MEMORY_METHODS: Record<string, Method> = {
  Allocate: async (domain, caller, request: Decoded<'AllocateRequest'>) => {
    if (request.grantKinds.length > 0) {
      throw new VkmemError(
        'INVALID_ARGUMENT',
        'gRPC carries no fds: claim the allocation on the handoff socket.',
        {
          field: 'grant_kinds',
        },
      );
    }
    return (await allocate(domain, caller, request)).response;
  },
  GetAllocation: getAllocation,
  // Encoded a part at a time, too: parts of a repeated field one after the other are the whole.
  ListAllocations: (domain, caller) =>
    domain.lists.run(partyOf(caller), async () => {
      const parts: Buffer[] = [];
      for await (const part of listAllocations(domain, caller)) {
        parts.push(encode('ListAllocationsResponse', part));
      }
      return Buffer.concat(parts);
    }),
  FreeAllocation: free,
  Transfer: transfer,
  CreateTicket: createTicket,
  RevokeTicket: revokeTicket,
  ListTickets: listTickets,
  Publish: publish,
};

export const DEVICE_METHODS: Record<string, Method> = {
  ListDevices: listDevices,
  GetBudget: getBudget,
};

export const DEVICE_STREAMS: Record<string, Stream> = {
  WatchBudget: watchBudget,
};

export const MEMORY_STREAMS: Record<string, Stream> = {
  WatchAllocations: watchAllocations,
};

export const IVSHMEM_METHODS: Record<string, Method> = {
  ServeIvshmem: serveIvshmem,
  ListIvshmem: listIvshmem,
  StopIvshmem: stopIvshmem,
};

export const POLICY_METHODS: Record<string, Method> = {
  GetQuota: getQuota,
  ListQuotas: listQuotas,
  SetQuota: setQuota,
  ReloadPolicy: (domain, caller) => reloadPolicy(domain, caller),
};
