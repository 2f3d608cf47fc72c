/**
 * The folder of the ledger in the runtime folder. It is removed when the fd store releases its fds for good.
 */
export const STATE_FOLDER = 'state';

/**
 * The names under which fds are stored: 's' and a session's id; 'a' and a number of its own for an
 * allocation, 'b' and the same for its second fd; 'v' and one for what virtual machines are connected by. All
 * names together are one variable of the next start's environment, so they are short. Fds of one name are
 * inherited in any order, so each fd has a name of its own.
 */
export const nameOfSession = (id: bigint): string => `s${id.toString(36)}`;
export const nameOfFd = (number: number, index: number): string => `${'ab'[index]}${number.toString(36)}`;
/** Of an ivshmem server or one of its peers: 0 is its socket, those above are the doorbells of a peer. */
export const nameOfIvshmem = (number: number, index: number): string =>
  `v${number.toString(36)}.${index.toString(36)}`;
export const isOfIvshmem = (name: string): boolean => name.startsWith('v');
/** The number in the name of a fd that was numbered; 0 for any other name. */
export const numberOf = (name: string): number =>
  Number.parseInt(/^[abv]([0-9a-z]{1,10})(?:\.[0-9a-z]{1,2})?$/.exec(name)?.[1] ?? '0', 36);
