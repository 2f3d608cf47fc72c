/**
 * The folder of the ledger in the runtime folder. It is removed together with the stored fds: by the
 * supervisor, or by systemd with the runtime folder.
 */
export const STATE_FOLDER = 'state';

/**
 * The names under which fds are stored: 's' and the id of a session; 'a' and the number of an allocation, 'b'
 * and the same number for its second fd; 'e' and 'f' and a number for the eventfds of a signal; 'v' and a
 * number for ivshmem (nameOfIvshmem); 'm' and a number for a semaphore. The names are short, because all of them are passed in one environment
 * variable at the next start. Fds with one name are inherited in any order, so each fd has its own name.
 */
export const nameOfSession = (id: bigint): string => `s${id.toString(36)}`;
export const nameOfFd = (number: number, index: number): string => `${'ab'[index]}${number.toString(36)}`;
/** The name of an eventfd of a signal: index 0 is the one to wait on for the session that opens it. */
export const nameOfSignal = (number: number, index: number): string => `${'ef'[index]}${number.toString(36)}`;
/** The name of the OPAQUE_FD of a semaphore. */
export const nameOfSemaphore = (number: number): string => `m${number.toString(36)}`;
/**
 * The name of an fd of an ivshmem server or peer. Index 0 is its socket; 1 and above are a peer's doorbells.
 */
export const nameOfIvshmem = (number: number, index: number): string =>
  `v${number.toString(36)}.${index.toString(36)}`;
export const isOfIvshmem = (name: string): boolean => name.startsWith('v');
/** The number in the name of an fd of an allocation, of a signal, of a semaphore or of ivshmem; 0 for any other name. */
export const numberOf = (name: string): number =>
  Number.parseInt(/^[abefmv]([0-9a-z]{1,10})(?:\.[0-9a-z]{1,2})?$/.exec(name)?.[1] ?? '0', 36);
