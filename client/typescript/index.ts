/**
 * @vkmemd/client: memory of a GPU host's daemon, in this process.
 *
 *   import { connect } from '@vkmemd/client';
 *   await using client = await connect();
 *   await using memory = await client.allocate({ size: 64n << 20n, name: 'frames' });
 *   const { bytes } = memory.map();
 *
 * connect, client   connect(), Client: a session
 * memory      Memory: an allocation with handles; holding, holdings: its fds and maps; memory-map: one window
 * session     what a client knows of its session, and the events of its connection
 * inherited, handover  sessions that begin in one program and go on in another; greeting
 * control     ControlClient, connectControl(): the gRPC services, without a session
 * wakeups     how sessions wake each other: signal, two eventfds; ivshmem-peer, beside virtual machines
 * ivshmem-calls  what virtual machines are offered
 * requests, import, resources, hints, tickets, arguments   what callers ask for, checked
 * backend, qemu-options  memory for virtual machines: what a backend needs to know, and QEMU's words for it
 * quota, policy  what users may have, and who says so
 * connection/ the two sockets: handoff and grpc, one connection; link and steady, what outlives it
 * cli/        vkmemctl
 *
 * Sizes and offsets are bytes. Every expected failure is a VkmemError whose `code` stands in CATALOGUE.
 */
export {
  type AccessName,
  type Allocation,
  CATALOGUE,
  type Counts,
  type Device,
  type ErrorCode,
  type Grant,
  type HeapBudget,
  KIND_NAMES,
  type KindName,
  kindFromWire,
  type LifetimeName,
  OwnedFd,
  openPidfd,
  PROPERTY_FLAG_NAMES,
  type PropertyFlagName,
  SHARING_NAMES,
  type SharingName,
  uuidText,
  VkmemError,
} from '@vkmemd/proto';
export { Client } from './client.js';
export { type ConnectOptions, connect } from './connect.js';
export type { InheritedAllocations } from './connection/inherited.js';
export type { ClientEvents, Reconnected, SessionInfo } from './connection/session.js';
export {
  type BudgetReport,
  ControlClient,
  type ControlOptions,
  connectControl,
  type DeviceReport,
  type WatchAllocationsOptions,
  type WatchedAllocation,
  type WatchedBudget,
  type WatchOptions,
} from './control.js';
export type { IvshmemServer } from './ivshmem-calls.js';
export type { MapOptions } from './mapping/mapped-grant.js';
export { MemoryMap } from './mapping/memory-map.js';
export { type FreeResult, Memory } from './memory.js';
export type { PolicyReport } from './policy.js';
export type { Bytes, Ref } from './request/arguments.js';
export type { HintOptions } from './request/hints.js';
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
