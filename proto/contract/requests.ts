/**
 * The table of requests: the one description of each request, for planes, limits and client libraries.
 *
 * A row is named after its request. A handoff request is a field of ClientMessage (`body`), and its answer a
 * field of ServerMessage (`answer`). A control request is a method of a gRPC service (`service`, `method`). A
 * request can be both. One that is neither is internal: only parts of the daemon send it. Dispatch on both planes, credit, the frame check, and the client's encoding, checks
 * and retries derive from these rows. Besides the schema, only daemon/requests/handlers.ts lists the
 * requests.
 *
 * Limits: `bytes`, `repeated` and `depth` bound the encoded message (codec.ts). Their defaults apply to every
 * request; a row that needs other bounds has its own.
 */
import type { Bounds, Decoded, Draft, MessageName } from './codec.js';
import { MAX_MANY, MAX_MESSAGE_BYTES, MAX_MESSAGE_FDS } from './names.js';
import type { ServiceName } from './services.js';

/** Where a request can be sent; `internal`: on no socket, only between the parts of the daemon. */
export type Plane = 'handoff' | 'control' | 'internal';
/**
 * Who may send it: any peer that may connect, a tenant (within the rights that the policy gives it), or an
 * operator.
 */
export type Who = 'connect' | 'tenant' | 'operator';
/**
 * `unary`: one answer. `parts`: one answer in several messages. `stream`: answers until either side ends the
 * stream. `one-way`: an answer only on failure.
 */
export type Shape = 'unary' | 'parts' | 'stream' | 'one-way';
/**
 * Whether a client may send it again when it received no answer. `free`: yes, it changes nothing. `by
 * session`: yes, in the same session, where repeating it has the effect of one request. `by request_id`: yes,
 * with the same request_id, by which the daemon recognises it. `never`: no, a second one may have another
 * effect.
 */
export type Repeat = 'free' | 'by session' | 'by request_id' | 'never';
/** The fair queue in which a request waits before its long-running work. */
export type Turn = 'allocations' | 'transfers' | 'frees' | 'seals' | 'lists';

/** One row of the table. */
export interface RequestRow extends Bounds {
  /** The message of the request. */
  readonly request: MessageName;
  /** The message of its answer. */
  readonly response: MessageName;
  /** A handoff request: its field of ClientMessage. */
  readonly body?: keyof Draft<'ClientMessage'> & string;
  /** A handoff request: the field of ServerMessage that answers it. */
  readonly answer?: keyof Draft<'ServerMessage'> & string;
  /** A control request: its gRPC service. */
  readonly service?: ServiceName;
  /** A control request: its method of the service. */
  readonly method?: string;
  /**
   * Who may send it; the handler checks it, with Authority. On the handoff socket a request of `connect` may
   * precede Hello.
   */
  readonly who: Who;
  /** The exact number of fds that the request carries. */
  readonly fdsIn: number;
  /** The maximum number of fds that a message of the answer carries. */
  readonly fdsOut: number;
  /** How many answers it has. */
  readonly shape: Shape;
  /**
   * The queue for its long-running work; undefined where it has none. Not used yet: the handler names its
   * queue.
   */
  readonly turn?: Turn;
  /** Whether a client may send it again. */
  readonly repeat: Repeat;
}

/** The default bounds. */
const BOUNDS = { bytes: MAX_MESSAGE_BYTES, repeated: 128, depth: 6 } as const;
/** The maximum number of grants that Hello reports, and that Entrust moves. */
export const MAX_LISTED_GRANTS = { Hello: 8192, Entrust: 4096 } as const;
/** The default cost. */
const COST = { base: 1, bytes: 1024, items: 16 } as const;
/** The defaults of a row: one answer, no fds. */
const PLAIN = { ...BOUNDS, cost: COST, fdsIn: 0, fdsOut: 0, shape: 'unary' } as const;

/** The defaults of a request that is many: its repeated fields are those of all its elements. */
const MANY = {
  ...PLAIN,
  repeated: 80 * MAX_MANY,
  depth: BOUNDS.depth + 1,
  fdsOut: MAX_MANY,
  shape: 'parts',
} as const;

/** The table, by the names of the requests. */
export const REQUESTS = {
  Hello: {
    ...PLAIN,
    repeated: MAX_LISTED_GRANTS.Hello,
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
    // The client gives up its fd when it sends it.
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
  AllocateMany: {
    ...MANY,
    request: 'AllocateManyRequest',
    response: 'AllocateManyResponse',
    body: 'allocateMany',
    answer: 'allocateMany',
    who: 'tenant',
    turn: 'allocations',
    repeat: 'by request_id',
  },
  ClaimMany: {
    ...MANY,
    request: 'ClaimManyRequest',
    response: 'ClaimManyResponse',
    body: 'claimMany',
    answer: 'claimMany',
    who: 'tenant',
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
    repeat: 'by session',
  },
  Entrust: {
    ...PLAIN,
    repeated: MAX_LISTED_GRANTS.Entrust,
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
    // A second stream may miss events between the end of the first and its own start.
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
  GetStatus: {
    ...PLAIN,
    request: 'GetStatusRequest',
    response: 'GetStatusResponse',
    body: 'getStatus',
    answer: 'getStatus',
    service: 'StatusService',
    method: 'GetStatus',
    who: 'connect',
    repeat: 'free',
  },
  ListSessions: {
    ...PLAIN,
    request: 'ListSessionsRequest',
    response: 'ListSessionsResponse',
    service: 'StatusService',
    method: 'ListSessions',
    who: 'operator',
    repeat: 'free',
  },
  GetMetrics: {
    ...PLAIN,
    request: 'GetMetricsRequest',
    response: 'GetMetricsResponse',
    service: 'StatusService',
    method: 'GetMetrics',
    who: 'operator',
    repeat: 'free',
  },
  GetHealth: {
    ...PLAIN,
    request: 'GetHealthRequest',
    response: 'GetHealthResponse',
    who: 'connect',
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
  CreateSemaphore: {
    ...PLAIN,
    request: 'CreateSemaphoreRequest',
    response: 'CreateSemaphoreResponse',
    body: 'createSemaphore',
    answer: 'createSemaphore',
    service: 'SemaphoreService',
    method: 'CreateSemaphore',
    who: 'tenant',
    fdsOut: 1,
    turn: 'allocations',
    repeat: 'by request_id',
  },
  ClaimSemaphore: {
    ...PLAIN,
    request: 'ClaimSemaphoreRequest',
    response: 'ClaimSemaphoreResponse',
    body: 'claimSemaphore',
    answer: 'claimSemaphore',
    who: 'tenant',
    fdsOut: 1,
    turn: 'allocations',
    repeat: 'by session',
  },
  FreeSemaphore: {
    ...PLAIN,
    request: 'FreeSemaphoreRequest',
    response: 'FreeSemaphoreResponse',
    body: 'freeSemaphore',
    answer: 'freeSemaphore',
    service: 'SemaphoreService',
    method: 'FreeSemaphore',
    who: 'tenant',
    repeat: 'by session',
  },
  WaitSemaphore: {
    ...PLAIN,
    request: 'WaitSemaphoreRequest',
    response: 'WaitSemaphoreResponse',
    body: 'waitSemaphore',
    answer: 'waitSemaphore',
    service: 'SemaphoreService',
    method: 'WaitSemaphore',
    who: 'tenant',
    repeat: 'free',
  },
  SignalSemaphore: {
    ...PLAIN,
    request: 'SignalSemaphoreRequest',
    response: 'SignalSemaphoreResponse',
    body: 'signalSemaphore',
    answer: 'signalSemaphore',
    service: 'SemaphoreService',
    method: 'SignalSemaphore',
    who: 'tenant',
    turn: 'transfers',
    repeat: 'never',
  },
  GetSemaphore: {
    ...PLAIN,
    request: 'GetSemaphoreRequest',
    response: 'GetSemaphoreResponse',
    service: 'SemaphoreService',
    method: 'GetSemaphore',
    who: 'tenant',
    repeat: 'free',
  },
  ListSemaphores: {
    ...PLAIN,
    request: 'ListSemaphoresRequest',
    response: 'ListSemaphoresResponse',
    service: 'SemaphoreService',
    method: 'ListSemaphores',
    who: 'tenant',
    turn: 'lists',
    repeat: 'free',
  },
} as const satisfies Readonly<Record<string, RequestRow>>;

/** The type of REQUESTS: each row with its literal names. */
export type RequestTable = typeof REQUESTS;
/** The name of a request. */
export type RequestName = keyof RequestTable;
/** The type of a decoded request. */
export type RequestOf<N extends RequestName> = Decoded<RequestTable[N]['request']>;
/** The type of a decoded answer. */
export type ResponseOf<N extends RequestName> = Decoded<RequestTable[N]['response']>;
/** The type of a request to encode. */
export type RequestDraft<N extends RequestName> = Draft<RequestTable[N]['request']>;
/** The type of an answer to encode. */
export type ResponseDraft<N extends RequestName> = Draft<RequestTable[N]['response']>;

/** The names of the handoff socket's requests. */
export type HandoffRequest = {
  [N in RequestName]: RequestTable[N] extends { body: string } ? N : never;
}[RequestName];
/** The names of the control socket's requests. */
export type ControlRequest = {
  [N in RequestName]: RequestTable[N] extends { method: string } ? N : never;
}[RequestName];
/** The names of the requests that are answered with a stream. */
export type StreamRequest = {
  [N in RequestName]: RequestTable[N]['shape'] extends 'stream' ? N : never;
}[RequestName];
/** The names of the requests that are answered in parts. */
export type PartsRequest = {
  [N in RequestName]: RequestTable[N]['shape'] extends 'parts' ? N : never;
}[RequestName];
/** The names of all other requests. */
export type UnaryRequest = Exclude<RequestName, PartsRequest | StreamRequest>;

const rows = Object.entries(REQUESTS) as [RequestName, RequestRow][];

/** The row of a request. */
export const requestRow = (name: RequestName): RequestRow => REQUESTS[name];

/** The names and rows of the requests that a plane accepts. */
export function requestsOf(plane: Plane): (readonly [RequestName, RequestRow])[] {
  return rows.filter(([, { body, method }]) => {
    if (plane === 'internal') return body === undefined && method === undefined;
    return (plane === 'handoff' ? body : method) !== undefined;
  });
}

/** The maximum number of fds that one message of a client carries. */
export const MAX_CLIENT_FDS: number = Math.max(...requestsOf('handoff').map(([, { fdsIn }]) => fdsIn));

/** The handoff requests, by their fields of ClientMessage. */
export const REQUEST_OF_BODY: ReadonlyMap<string | undefined, HandoffRequest> = new Map(
  rows.flatMap(([name, { body }]): [string, HandoffRequest][] =>
    body === undefined ? [] : [[body, name as HandoffRequest]],
  ),
);

/** The bounds of a message of the handoff socket, by its field that is a message: the envelope is one more. */
export const BOUNDS_OF_BODY: ReadonlyMap<string | undefined, Bounds> = new Map(
  rows.map(([, row]) => [row.body, { ...row, depth: row.depth + 1 }]),
);
/** Of a body that this build does not know, which only decoding shows. */
export const UNKNOWN_BODY: Bounds = { ...PLAIN };
