/**
 * The error catalogue: every fault that vkmemd tells a caller about, in one place.
 *
 * A code is stable for ever: it is what programs branch on, on gRPC (`google.rpc.ErrorInfo.reason`), on the handoff
 * socket and as `.code` in the client library. A retired one stays in RETIRED_CODES and never gets a new meaning.
 * `next` is what the caller can do about it, `grpc` the google.rpc.Code that the fault travels under.
 */
import { type CatalogueEntry, entry } from '../catalogue-entry.js';
import { GrpcCode } from '../grpc-code.js';

export const CATALOGUE = {
  QUOTA_EXCEEDED: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The owner would hold more than its quota.',
    'Free something you own, or ask the operator for a larger quota.',
  ),
  TOO_MANY_SESSIONS: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'There are as many sessions or connections as there may be.',
    'Close one of your own, or try again later; the metadata say whose limit it is.',
  ),
  TOO_MANY_FILES: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The daemon has no file descriptors to spare for it.',
    'Try again once others have let go, or ask the operator to raise LimitNOFILE.',
  ),
  RATE_LIMITED: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The requests come faster than they may.',
    'Wait as long as the metadata say, and ask less often.',
  ),
  BUDGET_EXCEEDED: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The heap has fewer bytes available than were asked for.',
    'Ask for less, or wait until memory is freed; GetBudget shows what is available.',
  ),
  DEVICE_OUT_OF_MEMORY: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The driver or the kernel could not provide the memory.',
    'Ask for less, or try again once others have freed memory.',
  ),
  TOO_MANY_ALLOCATIONS: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The device holds as many allocations as it may.',
    'Free allocations, or use fewer and larger ones.',
  ),
  INVALID_SIZE: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The size is not a positive number of bytes.',
    'Ask for a size of at least 1 byte; it is rounded up to whole pages.',
  ),
  SIZE_ABOVE_MAXIMUM: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The size is larger than the heap it would come from.',
    'Ask for less; ListDevices shows the size of each heap.',
  ),
  SIZE_NOT_POWER_OF_TWO: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The size is not a power of two, as that of a PCI BAR must be.',
    'Allocate with the hint power_of_two (vkmemctl alloc --power-of-two), which rounds the size up.',
  ),
  HUGE_PAGES_UNAVAILABLE: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'The host has not enough free huge pages of that size.',
    'Ask for the system\u2019s own pages, or have the operator set more aside (vm.nr_hugepages).',
  ),
  INVALID_NAME: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The name, or its absence, does not fit the lifetime asked for.',
    'A NAMED allocation needs a name of 1 to 128 letters, digits, dots, dashes or underscores; SESSION has none.',
  ),
  INVALID_RANGE: entry(
    GrpcCode.OUT_OF_RANGE,
    'The range does not lie inside the allocation, or is not aligned as the operation needs.',
    'Keep offset and size within the allocation; fills need multiples of 4 bytes, copies must not overlap.',
  ),
  INVALID_ARGUMENT: entry(
    GrpcCode.INVALID_ARGUMENT,
    'A field of the request has a value that means nothing here.',
    'Mend what the reason names; the schema, or --help, says what may stand there.',
  ),
  KINDS_EXCLUSIVE: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The kinds asked for can never be had on one allocation.',
    'Make one allocation for each kind and copy between them with Transfer.',
  ),
  KIND_NOT_REQUESTED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The kind was not asked for when the memory was allocated.',
    'Name every kind that will be granted, and at least one, when allocating.',
  ),
  KIND_UNSUPPORTED: entry(
    GrpcCode.UNIMPLEMENTED,
    'The kind, or the combination of kinds, cannot be had on this device.',
    'See ListDevices for what each kind offers here, and why not.',
  ),
  NO_MEMORY_TYPE: entry(
    GrpcCode.FAILED_PRECONDITION,
    'No memory type of the device fits the request.',
    'Ask for fewer property flags, or for another type; ListDevices shows the memory types.',
  ),
  INVALID_HANDLE: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The file descriptor is not what the request says.',
    'Import what its exporter made, with its size, memory type and UUIDs; docs/kinds.md says what each must be.',
  ),
  NOT_MAPPABLE: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The memory cannot be mapped by another process.',
    'Allocate MAPPABLE memory and copy to it with Transfer.',
  ),
  NOT_FOUND: entry(
    GrpcCode.NOT_FOUND,
    'There is no such allocation or grant.',
    'Check the id or the name; what was freed cannot be named again.',
  ),
  NAME_TAKEN: entry(
    GrpcCode.ALREADY_EXISTS,
    'An allocation of this owner already has the name.',
    'Claim the existing one, free it, or choose another name.',
  ),
  ALREADY_SERVED: entry(
    GrpcCode.ALREADY_EXISTS,
    'The allocation is offered to virtual machines already.',
    'Use the socket that there is (vkmemctl vm ls), or end the offer first.',
  ),
  TOO_MANY_PEERS: entry(
    GrpcCode.RESOURCE_EXHAUSTED,
    'No peer id is left for one more connection.',
    'Disconnect others; ids come free when those have gone who saw them leave.',
  ),
  VMM_REFUSED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The virtual machine monitor refused, or did not answer as expected.',
    'Mend what the reason names, and try again; what was begun is undone, and what was to end is as it was.',
  ),
  NOT_PERMITTED: entry(
    GrpcCode.PERMISSION_DENIED,
    'The caller may not do this.',
    'Ask the owner of the memory, or the operator, whose policy says who may do what.',
  ),
  BUSY: entry(
    GrpcCode.ABORTED,
    'Others have the right to write or to read first, and have not given it up.',
    'Wait longer, or have its holder release it; the allocation names the session that writes.',
  ),
  PUBLISHED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The allocation was published: nobody gets write access to it any more.',
    'Claim it read-only, or make a new allocation and copy it there.',
  ),
  NOT_PUBLISHABLE: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The allocation cannot be published.',
    'Allocate MAPPABLE memory with `publishable`; docs/kinds.md says what that needs.',
  ),
  TICKET_INVALID: entry(
    GrpcCode.PERMISSION_DENIED,
    'The ticket is unknown, used up, expired or for somebody else.',
    'Ask the owner for a new ticket.',
  ),
  STALE_INCARNATION: entry(
    GrpcCode.ABORTED,
    'The daemon was restarted since the session began.',
    'Connect again and name your allocations.',
  ),
  DEVICE_LOST: entry(
    GrpcCode.UNAVAILABLE,
    'The Vulkan device was lost.',
    'Try again; memory that only the device held is gone.',
  ),
  DEGRADED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The allocation outlived a restart of the daemon, and the device does not have it.',
    'Claim what is kept of it, such as its memfd, and copy it from there; the device may get it back later.',
  ),
  LEDGER_UNREADABLE: entry(
    GrpcCode.FAILED_PRECONDITION,
    'What an earlier start of the daemon wrote down of its allocations cannot be read.',
    'Start the version that wrote it; or give the memory up, and remove the folder that is named.',
  ),
  SESSION_REQUIRED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The call needs a session to own what it makes.',
    'Connect to the handoff socket and send its session token, or ask for the NAMED lifetime.',
  ),
  SESSION_INVALID: entry(
    GrpcCode.UNAUTHENTICATED,
    'The session token is not that of a live session of this caller.',
    'Send the token of a session that is still connected and belongs to the same user.',
  ),
  PROTOCOL_ERROR: entry(
    GrpcCode.INVALID_ARGUMENT,
    'The message does not follow the protocol.',
    'Compare the client with docs/protocol.md. A handoff connection is closed after it.',
  ),
  POLICY_INVALID: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The policy has a fault; the one before it stays in force.',
    'Mend the file at the line that the reason names; vkmemd --check-config says whether it is well.',
  ),
  VERSION_UNSUPPORTED: entry(
    GrpcCode.FAILED_PRECONDITION,
    'The client speaks a protocol version that this daemon does not.',
    'Install a client and a daemon that share a protocol version.',
  ),
  UNAVAILABLE: entry(
    GrpcCode.UNAVAILABLE,
    'The daemon cannot serve the request now.',
    'Check that vkmemd is running and reachable, then try again.',
  ),
  INTERNAL: entry(
    GrpcCode.INTERNAL,
    'The daemon failed in a way it did not foresee.',
    'Report it with the daemon\u2019s log; nothing was kept of the request.',
  ),
} as const satisfies Record<string, CatalogueEntry>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof CATALOGUE;
