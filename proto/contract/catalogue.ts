/**
 * The error catalogue: every error that vkmemd reports to a caller.
 *
 * Codes are stable, because programs branch on them: in gRPC (`google.rpc.ErrorInfo.reason`), on the handoff
 * socket, and as `.code` in the client library. A retired code moves to RETIRED_CODES and never gets a new
 * meaning.
 */

/** The status numbers of google.rpc.Code that the catalogue uses. */
export const GrpcCode = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** One entry of the catalogue. */
export interface CatalogueEntry {
  /** The google.rpc.Code that gRPC reports. */
  readonly grpc: number;
  /** What happened. */
  readonly sentence: string;
  /** What the caller can do. */
  readonly next: string;
}

const entry = (grpc: number, sentence: string, next: string): CatalogueEntry => ({ grpc, sentence, next });

/** The catalogue: every error that vkmemd reports, by code. */
export const CATALOGUE = {
  QUOTA_EXCEEDED: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The owner would hold more than its quota.',
    'Free allocations of your own, or ask the operator for a larger quota.',
  ),
  TOO_MANY_SESSIONS: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The limit of sessions or connections is reached.',
    'Close sessions or connections of your own, or try again later; the metadata name the limit.',
  ),
  TOO_MANY_FILES: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'No file descriptors are left for the request.',
    'Try again later, or ask the operator to raise LimitNOFILE.',
  ),
  RATE_LIMITED: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The limit of the request rate is reached.',
    'Wait for the retry_after_ms of the metadata, then send requests at a lower rate.',
  ),
  BUDGET_EXCEEDED: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The heap has fewer bytes available than the request needs.',
    'Request less, or wait until memory is freed; GetBudget shows what is available.',
  ),
  DEVICE_OUT_OF_MEMORY: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The driver or the kernel could not provide the memory.',
    'Request less, or try again after memory was freed.',
  ),
  TOO_MANY_ALLOCATIONS: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The limit of allocations is reached.',
    'Free allocations, or use fewer and larger ones.',
  ),
  INVALID_SIZE: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The size is not a positive number of bytes.',
    'Request at least 1 byte; sizes are rounded up to whole pages.',
  ),
  SIZE_ABOVE_MAXIMUM: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The size is larger than the heap it would come from.',
    'Request less; ListDevices shows the size of each heap.',
  ),
  SIZE_NOT_POWER_OF_TWO: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The size is not a power of two, as that of a PCI BAR must be.',
    'Allocate with the hint power_of_two (vkmemctl alloc --power-of-two), which rounds the size up.',
  ),
  HUGE_PAGES_UNAVAILABLE: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The host does not have enough free huge pages of that size.',
    'Request pages of normal size, or ask the operator to reserve more huge pages (vm.nr_hugepages).',
  ),
  INVALID_NAME: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The name, or its absence, does not fit the requested lifetime.',
    'NAMED requires a name of 1 to 128 letters, digits, dots, dashes or underscores; SESSION allows none.',
  ),
  INVALID_RANGE: entry(
    GrpcCode.OUT_OF_RANGE,
    'The range does not lie inside the allocation, or is not aligned as the operation needs.',
    'Keep offset and size within the allocation; fills need multiples of 4 bytes, copies must not overlap.',
  ),
  INVALID_ARGUMENT: entry(
    GrpcCode.INVALID_ARGUMENT,
    'A field of the request has an invalid value.',
    'Fix the field named in the reason; see the schema or --help for valid values.',
  ),
  KINDS_EXCLUSIVE: entry(
    GrpcCode.INVALID_ARGUMENT,
    'One allocation can never have the requested kinds together.',
    'Make one allocation for each kind and copy between them with Transfer.',
  ),
  KIND_NOT_REQUESTED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The kind was not requested when the memory was allocated.',
    'List every kind that will be granted, and at least one, in the allocation request.',
  ),
  KIND_UNSUPPORTED: entry(
    GrpcCode.UNIMPLEMENTED,
    'This device does not support the kind, or the combination of kinds.',
    'Call ListDevices (vkmemctl doctor): it reports how far each kind works on this device, and why.',
  ),
  NO_MEMORY_TYPE: entry(
    GrpcCode.FAILED_PRECONDITION,
    'No memory type of the device fits the request.',
    'Require fewer property flags, or request another memory type; ListDevices shows them all.',
  ),
  INVALID_HANDLE: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The file descriptor does not match the request.',
    'Import the fd with the size, memory type and UUIDs that it was exported with (kinds.md of the documentation).',
  ),
  WRONG_DEVICE: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The memory is of a device that the process cannot use.',
    'Run the process where it sees the device that the reason names (CUDA_VISIBLE_DEVICES, the devices of its container), or claim memory of the daemon of its own device.',
  ),
  NOT_MAPPABLE: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The memory cannot be mapped by another process.',
    'Allocate MAPPABLE memory and copy to it with Transfer.',
  ),
  NOT_FOUND: entry(
    GrpcCode.NOT_FOUND,
    'There is no such object, or it has ended.',
    'Check the id or the name; those of an object that has ended are no longer valid.',
  ),
  NAME_TAKEN: entry(
    GrpcCode.ALREADY_EXISTS,
    'An allocation, or a semaphore, of this owner already has the name.',
    'Claim the existing one, free it, or choose another name.',
  ),
  ALREADY_SERVED: entry(
    GrpcCode.ALREADY_EXISTS,
    'The allocation is already offered to virtual machines.',
    'Use the existing socket (vkmemctl vm ls), or end the offer first.',
  ),
  TOO_MANY_PEERS: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'No peer id is left for one more connection.',
    'Disconnect other peers; an id can be reused when all peers that were notified of its leaving are gone.',
  ),
  VMM_REFUSED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The virtual machine monitor refused, or did not answer as expected.',
    'Fix the cause named in the reason, then try again; the operation was rolled back.',
  ),
  NOT_PERMITTED: entry(
    GrpcCode.PERMISSION_DENIED,
    'The caller may not do this.',
    'Ask the owner of the memory, or the operator, whose policy grants rights.',
  ),
  BUSY: entry(
    GrpcCode.ABORTED,
    'The allocation is locked by other sessions.',
    'Wait longer, or have the holders release it; writer_session_id of the allocation is the writer.',
  ),
  WAIT_TIMED_OUT: entry(
    GrpcCode.DEADLINE_EXCEEDED,
    'The value did not come in time.',
    'Wait longer (timeout_ms), or check the process that is to signal the semaphore.',
  ),
  PUBLISHED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The allocation was published: write access is no longer granted.',
    'Claim it read-only, or copy it to a new allocation.',
  ),
  NOT_PUBLISHABLE: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The allocation cannot be published.',
    'Allocate MAPPABLE or OPAQUE_FD memory with `publishable`; sharing.md of the documentation lists the requirements.',
  ),
  PAGES_PINNED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'A process has pinned pages through which a device may still write to the allocation.',
    'Have the process named in the reason deregister the memory (ibv_dereg_mr) or end, then publish again.',
  ),
  TICKET_INVALID: entry(
    GrpcCode.PERMISSION_DENIED,
    'The ticket is unknown, used up, expired or for another user.',
    'Ask the owner for a new ticket.',
  ),
  STALE_INCARNATION: entry(
    GrpcCode.ABORTED,
    'The session or memory belongs to an earlier session, which has ended.',
    'Connect again; claim NAMED allocations by their names, and allocate all others again.',
  ),
  DEVICE_LOST: entry(
    GrpcCode.UNAVAILABLE,
    'The Vulkan device was lost.',
    'Try again; memory that only the device held is lost.',
  ),
  DEGRADED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The allocation outlived a restart of the daemon, but the device could not import it.',
    'Claim a handle that persists, such as its memfd, and copy the bytes; the device may import it later.',
  ),
  LEDGER_UNREADABLE: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The ledger of allocations that an earlier start of the daemon wrote cannot be read.',
    'Start the version that wrote it, or remove the folder named in the reason, which drops the memory.',
  ),
  LEDGER_FULL: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The ledger could not be written, and nothing was changed.',
    'Free space on the file system of the folder that the reason names, or ask the operator to; then try again.',
  ),
  SYSTEM_CALL_FAILED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'A system call failed.',
    'See the call, the file and the errno in the reason.',
  ),
  RECORD_SET_ASIDE: entry(
    GrpcCode.FAILED_PRECONDITION,
    'A record of the ledger could not be restored. It stays stored, with its file descriptors.',
    'Start the version of vkmemd that wrote it; or stop the service, which releases all memory.',
  ),
  SESSION_REQUIRED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The call requires a session that will own the allocation.',
    'Open a session on the handoff socket and send its token, or request the NAMED lifetime.',
  ),
  SESSION_INVALID: entry(
    GrpcCode.UNAUTHENTICATED,
    'The session token does not belong to a live session of this caller.',
    'Send the token of a session of the same user that is still connected.',
  ),
  PROTOCOL_ERROR: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The message does not follow the protocol.',
    'Check the client against protocol.md of the documentation. A handoff connection is closed after this error.',
  ),
  POLICY_INVALID: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The policy is invalid; the previous one stays in force.',
    'Fix the file at the line named in the reason; check it with vkmemd --check-config.',
  ),
  METHOD_UNKNOWN: entry(
    GrpcCode.UNIMPLEMENTED,
    'The daemon has no such method.',
    'Check the names of the service and the method; GetStatus reports the version of the daemon.',
  ),
  VERSION_UNSUPPORTED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The daemon does not support the protocol version of the client.',
    'Install a client and a daemon that share a protocol version.',
  ),
  RUNTIME_UNSUPPORTED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The daemon cannot serve on this version of Node.js.',
    'Start vkmemd with its own program, which uses its own Node.js, or use the version named in the reason.',
  ),
  RUNTIME_EXPOSED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'Other users can replace the sockets of the daemon.',
    'Make the folder writable by the daemon\u2019s user alone, or have clients check the peer (expectUid).',
  ),
  UNAVAILABLE: entry(
    GrpcCode.UNAVAILABLE,
    'The daemon cannot serve the request now.',
    'Try again after a pause; if it lasts, see vkmemctl status, and whether vkmemd is running and reachable.',
  ),
  INTERNAL: entry(
    GrpcCode.INTERNAL,
    'The daemon failed unexpectedly.',
    'Report it with the daemon\u2019s log; the request had no effect.',
  ),
} as const satisfies Record<string, CatalogueEntry>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof CATALOGUE;
