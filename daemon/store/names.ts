/**
 * Under which names fds are kept: 's' and a session's id; 'a' and a number of its own for an allocation, 'b' and the same for
 * its second fd. All names together are one variable of the next start's environment, so they are short.
 * What is kept under one name is handed back in any order, so each fd has one of its own.
 */
export const nameOfSession = (id: bigint): string => `s${id.toString(36)}`;
export const nameOfFd = (number: number, index: number): string => `${'ab'[index]}${number.toString(36)}`;
/** The number of an allocation's fd; 0 for any other name. */
export const numberOf = (name: string): number =>
  /^[ab][0-9a-z]{1,10}$/.test(name) ? Number.parseInt(name.slice(1), 36) : 0;
