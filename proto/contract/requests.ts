/**
 * The table of requests: everything that a plane, a limit or a client library must know of a request, once.
 *
 * A row is named after its request. A handoff request is also a field of ClientMessage (`body`), answered by
 * the field `answer` of ServerMessage; a control request is also a method of a gRPC service of the same name
 * (`service`, `method`). Dispatch on both planes, credit, the frame check and the client's encoding, checking
 * and retrying derive from these rows. Beside the schema, only daemon/requests/handlers.ts lists them.
 *
 * Limits: `bytes`, `repeated` and `depth` bound the encoded message of any request alike; a row names its own
 * where it needs less or more.
 */
import type { Decoded, Draft, MessageName, ServiceName } from './codec.js';
import { MAX_MESSAGE_BYTES, MAX_MESSAGE_FDS } from './names.js';

/** Where a request can be sent. */
export type Plane = 'handoff' | 'control';
/** Who may send it: any peer that may connect, a tenant (with what the policy gives it), an operator. */
export type Who = 'connect' | 'tenant' | 'operator';
/** `unary`: one answer. `stream`: answers until either side ends it. `one-way`: no answer unless it fails. */
export type Shape = 'unary' | 'stream' | 'one-way';
/**
 * Whether a client may send it again when no answer came. `free`: it changes nothing. `by session`: the
 * session that asks again finds what it did before. `by request_id`: the daemon knows the id again. `never`:
 * asked twice it may do something else.
 */
export type Repeat = 'free' | 'by session' | 'by request_id' | 'never';
/** Which fair queue its long work waits in; undefined where it has none. */
export type Turn = 'allocations' | 'transfers' | 'frees' | 'seals' | 'lists';

/** One request, as the table describes it. */
export interface RequestRow {
  /** The messages of the request and of its answer. */
  readonly request: MessageName;
  readonly response: MessageName;
  /**
   * Its field of ClientMessage, and the field of ServerMessage that answers; where it is a handoff request.
   */
  readonly body?: keyof Draft<'ClientMessage'> & string;
  readonly answer?: keyof Draft<'ServerMessage'> & string;
  /** Its gRPC service and method; where it is a control request. */
  readonly service?: ServiceName;
  readonly method?: string;
  /** Who may send it. No code reads it yet: the handler decides, by Authority. */
  readonly who: Who;
  /** How many fds come with the request, exactly. */
  readonly fdsIn: number;
  /** How many fds the answer carries at most. */
  readonly fdsOut: number;
  readonly shape: Shape;
  /** The largest encoded request, in bytes. No code reads this and the two bounds below yet. */
  readonly bytes: number;
  /** How many elements its repeated fields have at most, all together. */
  readonly repeated: number;
  /** How deep its messages nest at most. */
  readonly depth: number;
  /**
   * What it takes from the rate: `base`, and 1 for each so many encoded bytes and each so many elements of
   * repeated fields. No code reads it yet: every request takes 1.
   */
  readonly cost: { readonly base: number; readonly bytes: number; readonly items: number };
  /** The queue that its long work waits in. No code reads it yet: the handler knows its queue. */
  readonly turn?: Turn;
  readonly repeat: Repeat;
}

/** What bounds a request that has no bounds of its own. */
const BOUNDS = { bytes: MAX_MESSAGE_BYTES, repeated: MAX_MESSAGE_BYTES / 2, depth: 32 } as const;
/** What a request costs that has no cost of its own. */
const COST = { base: 1, bytes: 1024, items: 16 } as const;
/** A request without fds. */
const PLAIN = { ...BOUNDS, cost: COST, fdsIn: 0, fdsOut: 0, shape: 'unary' } as const;

export const REQUESTS = {
  Hello: {
    ...PLAIN,
    request: 'Hello',
    response: 'Welcome',
    body: 'hello',
    answer: 'welcome',
    who: 'connect',
    repeat: 'by session',
  },
  Allocate: {
    ...PLAIN,
    request: 'AllocateRequest',
    response: 'AllocateResponse',
    body: 'allocate',
    answer: 'allocate',
    service: 'MemoryService',
    method: 'Allocate',
    who: 'tenant',
    fdsOut: MAX_MESSAGE_FDS,
    turn: 'allocations',
    repeat: 'by request_id',
  },
  Import: {
    ...PLAIN,
    request: 'ImportRequest',
    response: 'ImportResponse',
    body: 'import',
    answer: 'import',
    who: 'tenant',
    fdsIn: 1,
    fdsOut: MAX_MESSAGE_FDS,
    turn: 'allocations',
    // Its fd is the daemon's once it was sent.
    repeat: 'never',
  },
  Claim: {
    ...PLAIN,
    request: 'ClaimRequest',
    response: 'ClaimResponse',
    body: 'claim',
    answer: 'claim',
    who: 'tenant',
    fdsOut: MAX_MESSAGE_FDS,
    turn: 'allocations',
    repeat: 'by session',
  },
  Release: {
    ...PLAIN,
    request: 'ReleaseRequest',
    response: 'ReleaseResponse',
    body: 'release',
    answer: 'release',
    who: 'tenant',
    repeat: 'by session',
  },
  Free: {
    ...PLAIN,
    request: 'FreeAllocationRequest',
    response: 'FreeAllocationResponse',
    body: 'free',
    answer: 'free',
    service: 'MemoryService',
    method: 'FreeAllocation',
    who: 'tenant',
    turn: 'frees',
    repeat: 'by session',
  },
  Publish: {
    ...PLAIN,
    request: 'PublishRequest',
    response: 'PublishResponse',
    body: 'publish',
    answer: 'publish',
    service: 'MemoryService',
    method: 'Publish',
    who: 'tenant',
    turn: 'seals',
    repeat: 'by session',
  },
  CreateTicket: {
    ...PLAIN,
    request: 'CreateTicketRequest',
    response: 'CreateTicketResponse',
    body: 'createTicket',
    answer: 'createTicket',
    service: 'MemoryService',
    method: 'CreateTicket',
    who: 'tenant',
    repeat: 'never',
  },
  RevokeTicket: {
    ...PLAIN,
    request: 'RevokeTicketRequest',
    response: 'RevokeTicketResponse',
    body: 'revokeTicket',
    answer: 'revokeTicket',
    service: 'MemoryService',
    method: 'RevokeTicket',
    who: 'tenant',
    repeat: 'never',
  },
  JoinIvshmem: {
    ...PLAIN,
    request: 'JoinIvshmemRequest',
    response: 'JoinIvshmemResponse',
    body: 'joinIvshmem',
    answer: 'joinIvshmem',
    who: 'tenant',
    fdsOut: 1,
    repeat: 'never',
  },
  CreateSignal: {
    ...PLAIN,
    request: 'CreateSignalRequest',
    response: 'CreateSignalResponse',
    body: 'createSignal',
    answer: 'createSignal',
    who: 'tenant',
    fdsOut: 2,
    repeat: 'never',
  },
  OpenSignal: {
    ...PLAIN,
    request: 'OpenSignalRequest',
    response: 'OpenSignalResponse',
    body: 'openSignal',
    answer: 'openSignal',
    who: 'tenant',
    fdsOut: 2,
    repeat: 'never',
  },
  Entrust: {
    ...PLAIN,
    request: 'EntrustRequest',
    response: 'EntrustResponse',
    body: 'entrust',
    answer: 'entrust',
    who: 'tenant',
    fdsIn: 1,
    repeat: 'never',
  },
  EndEntrusted: {
    ...PLAIN,
    request: 'EndEntrustedRequest',
    response: 'EndEntrustedResponse',
    body: 'endEntrusted',
    answer: 'endEntrusted',
    who: 'tenant',
    repeat: 'never',
  },
  GetAllocation: {
    ...PLAIN,
    request: 'GetAllocationRequest',
    response: 'GetAllocationResponse',
    service: 'MemoryService',
    method: 'GetAllocation',
    who: 'tenant',
    repeat: 'free',
  },
  ListAllocations: {
    ...PLAIN,
    request: 'ListAllocationsRequest',
    response: 'ListAllocationsResponse',
    service: 'MemoryService',
    method: 'ListAllocations',
    who: 'tenant',
    turn: 'lists',
    repeat: 'free',
  },
  Transfer: {
    ...PLAIN,
    request: 'TransferRequest',
    response: 'TransferResponse',
    service: 'MemoryService',
    method: 'Transfer',
    who: 'tenant',
    turn: 'transfers',
    repeat: 'never',
  },
  ListTickets: {
    ...PLAIN,
    request: 'ListTicketsRequest',
    response: 'ListTicketsResponse',
    service: 'MemoryService',
    method: 'ListTickets',
    who: 'tenant',
    repeat: 'free',
  },
  WatchAllocations: {
    ...PLAIN,
    request: 'WatchAllocationsRequest',
    response: 'WatchAllocationsResponse',
    service: 'MemoryService',
    method: 'WatchAllocations',
    who: 'tenant',
    shape: 'stream',
    // Events may be missed between two streams.
    repeat: 'never',
  },
  ListDevices: {
    ...PLAIN,
    request: 'ListDevicesRequest',
    response: 'ListDevicesResponse',
    service: 'DeviceService',
    method: 'ListDevices',
    who: 'connect',
    repeat: 'free',
  },
  GetBudget: {
    ...PLAIN,
    request: 'GetBudgetRequest',
    response: 'GetBudgetResponse',
    service: 'DeviceService',
    method: 'GetBudget',
    who: 'connect',
    repeat: 'free',
  },
  WatchBudget: {
    ...PLAIN,
    request: 'WatchBudgetRequest',
    response: 'WatchBudgetResponse',
    service: 'DeviceService',
    method: 'WatchBudget',
    who: 'connect',
    shape: 'stream',
    repeat: 'free',
  },
  GetQuota: {
    ...PLAIN,
    request: 'GetQuotaRequest',
    response: 'GetQuotaResponse',
    service: 'PolicyService',
    method: 'GetQuota',
    who: 'tenant',
    repeat: 'free',
  },
  ListQuotas: {
    ...PLAIN,
    request: 'ListQuotasRequest',
    response: 'ListQuotasResponse',
    service: 'PolicyService',
    method: 'ListQuotas',
    who: 'tenant',
    repeat: 'free',
  },
  SetQuota: {
    ...PLAIN,
    request: 'SetQuotaRequest',
    response: 'SetQuotaResponse',
    service: 'PolicyService',
    method: 'SetQuota',
    who: 'operator',
    repeat: 'never',
  },
  ReloadPolicy: {
    ...PLAIN,
    request: 'ReloadPolicyRequest',
    response: 'ReloadPolicyResponse',
    service: 'PolicyService',
    method: 'ReloadPolicy',
    who: 'operator',
    repeat: 'never',
  },
  ServeIvshmem: {
    ...PLAIN,
    request: 'ServeIvshmemRequest',
    response: 'ServeIvshmemResponse',
    service: 'IvshmemService',
    method: 'ServeIvshmem',
    who: 'tenant',
    repeat: 'never',
  },
  ListIvshmem: {
    ...PLAIN,
    request: 'ListIvshmemRequest',
    response: 'ListIvshmemResponse',
    service: 'IvshmemService',
    method: 'ListIvshmem',
    who: 'tenant',
    repeat: 'free',
  },
  StopIvshmem: {
    ...PLAIN,
    request: 'StopIvshmemRequest',
    response: 'StopIvshmemResponse',
    service: 'IvshmemService',
    method: 'StopIvshmem',
    who: 'tenant',
    repeat: 'never',
  },
} as const satisfies Readonly<Record<string, RequestRow>>;

/** The type of REQUESTS: each row with its literal names. */
export type RequestTable = typeof REQUESTS;
/** The name of a request. */
export type RequestName = keyof RequestTable;
/** A request as its receiver sees it. */
export type RequestOf<N extends RequestName> = Decoded<RequestTable[N]['request']>;
/** An answer as its receiver sees it. */
export type ResponseOf<N extends RequestName> = Decoded<RequestTable[N]['response']>;
/** A request as its sender writes it. */
export type RequestDraft<N extends RequestName> = Draft<RequestTable[N]['request']>;
/** An answer as its sender writes it. */
export type ResponseDraft<N extends RequestName> = Draft<RequestTable[N]['response']>;

/** Requests of the handoff socket. */
export type HandoffRequest = {
  [N in RequestName]: RequestTable[N] extends { body: string } ? N : never;
}[RequestName];
/** Requests of the control socket. */
export type ControlRequest = {
  [N in RequestName]: RequestTable[N] extends { method: string } ? N : never;
}[RequestName];
/** Those of them that answer with a stream. */
export type StreamRequest = {
  [N in RequestName]: RequestTable[N]['shape'] extends 'stream' ? N : never;
}[RequestName];
export type UnaryRequest = Exclude<RequestName, StreamRequest>;

const rows = Object.entries(REQUESTS) as [RequestName, RequestRow][];

/** The rows of the table, by name. */
export const requestRow = (name: RequestName): RequestRow => REQUESTS[name];

/** The requests of a plane. */
export function requestsOf(plane: Plane): (readonly [RequestName, RequestRow])[] {
  return rows.filter(([, { body, method }]) => (plane === 'handoff' ? body : method) !== undefined);
}

/** The most fds that come with one message of a client. */
export const MAX_CLIENT_FDS: number = Math.max(...requestsOf('handoff').map(([, { fdsIn }]) => fdsIn));

/** The handoff requests by their fields of ClientMessage; none that this build does not know. */
export const REQUEST_OF_BODY: ReadonlyMap<string | undefined, HandoffRequest> = new Map(
  rows.flatMap(([name, { body }]): [string, HandoffRequest][] =>
    body === undefined ? [] : [[body, name as HandoffRequest]],
  ),
);
