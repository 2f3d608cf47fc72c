/** The most that is claimed at once by claimMany(), whose messages take at most 253, before the fds are passed on. */
export const AT_ONCE = 250;
