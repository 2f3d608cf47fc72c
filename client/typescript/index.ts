/**
 * @vkmemd/client: memory of a GPU host's daemon, in this process.
 *
 *   import { connect } from '@vkmemd/client'; await using client = await connect(); await using memory =
 *   await client.allocate({ size: 64n << 20n, name: 'frames' }); const { bytes } = memory.map();
 *
 * connect, client connect(), Client: a session, its signals and its ivshmem peers
 * control     ControlClient, connectControl(): the gRPC services, without a session; policy and ivshmem
 * memory      Memory: an allocation with handles
 * signal      Signal: two sessions wake each other by eventfds
 * mapping/    the fds and maps of grants, and one window of memory
 * request/    options of callers, checked and turned into the contract's messages
 * connection/ the two sockets: handoff and grpc, one connection; link and retrying-channel, over several;
 * sessions that
 *             one program begins for another (handover, inherited)
 * vm/         memory for virtual machines: descriptions for backends, QEMU's options, hotplug, ivshmem peers
 * cli/        vkmemctl
 *
 * Sizes and offsets are bytes. Every expected failure is a VkmemError whose `code` stands in CATALOGUE.
 */
export {
  type Access,
  type AccessName,
  type Allocation,
  type AllocationEvent,
  type AllocationState,
  type BudgetSource,
  CATALOGUE,
  type CacheType,
  type Counts,
  type Device,
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
  OwnedFd,
  openPidfd,
  PROPERTY_FLAG_NAMES,
  type Pressure,
  type PropertyFlagName,
  type ReadOnlyStrength,
  type Rung,
  SHARING_NAMES,
  type Sharing,
  type SharingName,
  uuidText,
  VkmemError,
} from '@vkmemd/proto';
export { Client, type ClientIvshmem, type ClientSignals } from './client.js';
export { type ConnectOptions, connect } from './connect.js';
export type { InheritedAllocations } from './connection/inherited.js';
export type { ClientEvents, Reconnected, SessionInfo } from './connection/session.js';
export {
  type BudgetReport,
  ControlClient,
  type ControlIvshmem,
  type ControlOptions,
  type ControlPolicy,
  connectControl,
  type DeviceReport,
  type IvshmemServer,
  type PolicyReport,
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
export type { HeapChange, Quota, QuotaChange, QuotaResult } from './request/quota.js';
export type { AllocateOptions, ClaimOptions, TransferOptions } from './request/requests.js';
export type {
  BufferOptions,
  ImageOptions,
  PropertyFlags,
  PropertyOptions,
  ResourceOptions,
} from './request/resources.js';
export type { MadeTicket, Ticket, TicketOptions, TicketRef } from './request/tickets.js';
export { type MadeSignal, Signal, type SignalEvents } from './signal.js';
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
