/**
 * `@vkmemd/client`: allocates and maps memory of the vkmemd daemon.
 *
 * ```ts
 * import { connect } from '@vkmemd/client';
 *
 * await using client = await connect();
 * await using memory = await client.allocate({ size: 64n << 20n, name: 'frames', ifExists: 'claim' });
 * const { bytes } = memory.map();
 * ```
 *
 * Offsets and sizes are in bytes. Every expected failure is a VkmemError whose `code` is in CATALOGUE.
 *
 * - connect, client: connect(), Client: a session, with its signals and ivshmem peers.
 * - control: connectControl(), ControlClient: the gRPC services, without a session.
 * - status: the status of the daemon, by either socket.
 * - memory: Memory: an allocation with grants.
 * - semaphore: Semaphore: orders the work of processes on the GPU.
 * - signal: Signal: two sessions wake each other with eventfds.
 * - mapping/: the fds and maps of grants, and one window of memory.
 * - request/: checks the options of callers, and converts them to the messages of the contract.
 * - connection/: the two sockets. handoff and grpc are single connections; link and retrying-channel
 *   reconnect; handover and inherited are for sessions that one program opens for another.
 * - vm/: memory for virtual machines: descriptions for backends, QEMU's options, hotplug, ivshmem peers.
 * - cli/: vkmemctl.
 *
 * @module @vkmemd/client
 */
export {
  type Access,
  type AccessName,
  type Allocation,
  type AllocationEvent,
  type AllocationSource,
  type AllocationState,
  type BudgetSource,
  CATALOGUE,
  type CacheType,
  type Counts,
  DEDICATION_NAMES,
  type DedicatedBy,
  type DedicationName,
  type Device,
  type DeviceDescription,
  type DeviceType,
  type ErrorCode,
  type Grant,
  type HeapBudget,
  type ImageTiling,
  type ImageType,
  KIND_NAMES,
  type Kind,
  type KindName,
  kindFromWire,
  type Lifetime,
  type LifetimeName,
  type MetricType,
  OwnedFd,
  openPidfd,
  type PageSize,
  PROPERTY_FLAG_NAMES,
  type Pressure,
  type PropertyFlagName,
  type ReadOnlyStrength,
  type Rung,
  SEMAPHORE_KIND_NAMES,
  SEMAPHORE_TYPE_NAMES,
  type SemaphoreKind,
  type SemaphoreKindName,
  type SemaphoreState,
  type SemaphoreType,
  type SemaphoreTypeName,
  SHARING_NAMES,
  type Sharing,
  type SharingName,
  uuidText,
  VkmemError,
} from '@vkmemd/proto';
export { Client, type ClientIvshmem, type ClientSignals } from './client.js';
export { type ConnectOptions, connect } from './connect.js';
export { findDaemons } from './connection/discovery.js';
export type { FoundDaemon } from './connection/found-daemons.js';
export type { InheritedAllocations } from './connection/inherited.js';
export type { ClientEvents, Reconnected, SessionInfo } from './connection/session.js';
export {
  type BudgetReport,
  ControlClient,
  type ControlIvshmem,
  type ControlOptions,
  type ControlPolicy,
  type ControlSemaphores,
  connectControl,
  type DeviceReport,
  type IvshmemServer,
  type MetricFamily,
  type PolicyReport,
  type SessionReport,
  type WatchAllocationsOptions,
  type WatchedAllocation,
  type WatchedBudget,
  type WatchOptions,
} from './control.js';
export type { MapOptions } from './mapping/mapped-grant.js';
export { MemoryMap } from './mapping/memory-map.js';
export { type FreeResult, Memory } from './memory.js';
export type { Bytes, Ref } from './request/arguments.js';
export type { HintOptions } from './request/hints.js';
export type { IfExists } from './request/if-exists.js';
export type { ImportOptions } from './request/import.js';
export type { AllocateManyOptions, ManyAllocateOptions, ManyClaimOptions } from './request/many.js';
export type { HeapChange, Quota, QuotaChange, QuotaResult } from './request/quota.js';
export type {
  AllocateOptions,
  ClaimOptions,
  TransferOperation,
  TransferOptions,
  TransferOrder,
} from './request/requests.js';
export type {
  BufferOptions,
  ImageOptions,
  PropertyFlags,
  PropertyOptions,
  ResourceOptions,
} from './request/resources.js';
export type { SemaphorePoint, SemaphoreWaitOptions } from './request/semaphore-points.js';
export type {
  SemaphoreClaimOptions,
  SemaphoreInfo,
  SemaphoreOptions,
} from './request/semaphores.js';
export type { MadeTicket, Ticket, TicketLimits, TicketOptions, TicketRef } from './request/tickets.js';
export { Semaphore } from './semaphore.js';
export { type MadeSignal, Signal, type SignalEvents } from './signal.js';
export type { DaemonProblem, DaemonStatus, FrontStatus } from './status.js';
export {
  type BackendCacheType,
  type BackendObject,
  type BackendUuid,
  describeForBackend,
  RUTABAGA_HANDLE_TYPES,
  type RutabagaDescription,
  type RutabagaHandleType,
} from './vm/backend.js';
export { IvshmemPeer, type IvshmemPeerEvents } from './vm/ivshmem-peer.js';
export {
  QEMU_DEVICES,
  type QemuDevice,
  type QemuOptions,
  type QemuOptionsFor,
  qemuDoorbell,
  qemuOptions,
} from './vm/qemu-options.js';
