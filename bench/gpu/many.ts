/** The most that is requested at once by allocateMany() and claimMany(): their messages take at most 253. */
export const AT_ONCE = 250;
