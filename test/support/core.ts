/** A core in this process, on a device that the test created, without planes. */
import { join } from 'node:path';
import { type Decoded, decode, encode, type RequestDraft } from '@vkmemd/proto';
import { type Core, makeCore } from 'vkmemd/dist/core.js';
import { IvshmemPlane } from 'vkmemd/dist/ivshmem/plane.js';
import { FdBudget, openFiles } from 'vkmemd/dist/limits/fd-budget.js';
import { MappingBudget, openMappings } from 'vkmemd/dist/limits/mapping-budget.js';
import type { Allocation } from 'vkmemd/dist/memory/allocation/allocation.js';
import { Authority } from 'vkmemd/dist/memory/authority.js';
import type { Persistence } from 'vkmemd/dist/memory/persistence.js';
import type { Metrics } from 'vkmemd/dist/metrics/metrics.js';
import type { Identity } from 'vkmemd/dist/policy/identity.js';
import type { Policy } from 'vkmemd/dist/policy/policy.js';
import { type Handlers, makeHandlers } from 'vkmemd/dist/requests/handlers.js';
import { Status } from 'vkmemd/dist/status.js';
import type { Device } from 'vkmemd/dist/vulkan/device.js';

interface Parts {
  readonly policy: Policy;
  /** Receives the faults that are reported to no client. */
  readonly faults: string[];
  /** For the sockets of virtual machines, which are created on demand. */
  readonly folder?: string;
  readonly persistence?: Persistence;
  /** Default: those of this process. */
  readonly mappings?: MappingBudget;
}

export function coreOn(device: Device, parts: Parts): Core {
  const { policy, faults, folder = '/nowhere', persistence } = parts;
  const { mappings = new MappingBudget(openMappings()) } = parts;
  const reporter = { fault: (what: string) => void faults.push(what), note() {} };
  const fds = new FdBudget(openFiles(), 32);
  const authority = new Authority(policy);
  const sockets = new IvshmemPlane({ fds, authority, reporter }, join(folder, 'ivshmem'));
  const readPolicy = async () => policy;
  const limits = { fds, mappings };
  return makeCore({
    version: '0.0.0',
    device,
    authority,
    readPolicy,
    ...limits,
    persistence,
    sockets,
    reporter,
  });
}

interface Reported {
  /** Default: that of a daemon whose device is not lost. */
  readonly status?: Status;
  /** Default: none. */
  readonly metrics?: Pick<Metrics, 'read'>;
}

export const statusOf = (core: Core): Status =>
  new Status({
    ...core,
    recovery: { serving: true },
    front: { present: true, since: Date.now(), restarts: 0 },
    exposure: undefined,
  });

/** The handlers of a core. */
export const handlersOf = (core: Core, { status, metrics }: Reported = {}): Handlers =>
  makeHandlers({ ...core, status: status ?? statusOf(core), metrics: metrics ?? { read: async () => [] } });

/** Makes an allocation of a page for the user of the identity. */
export async function allocateOn(
  core: Core,
  identity: Identity,
  fields: Omit<RequestDraft<'Allocate'>, 'sizeBytes' | 'kinds'>,
): Promise<Allocation> {
  const asked = { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'], ...fields } as const;
  const request = decode('AllocateRequest', encode('AllocateRequest', asked));
  const caller = { identity, session: undefined, gone: () => false };
  const { response } = await handlersOf(core).Allocate(caller, request, []);
  const { id = '' } = (response as Decoded<'AllocateResponse'>).allocation ?? {};
  return core.registry.find({ id, name: '' }, identity, 'use');
}
