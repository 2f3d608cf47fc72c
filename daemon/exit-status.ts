/**
 * Exit statuses of vkmemd, by sysexits.h. With EX_USAGE and EX_CONFIG another start would fail in the same
 * way until an operator changes something: the supervisor then ends too (supervisor/supervisor.ts).
 */

/** Any other failure: another start may succeed. */
export const EXIT_FAILURE = 1;
/** The front is of another version than the core that started it. */
export const EX_TEMPFAIL = 75;
/** The command line is invalid. */
export const EX_USAGE = 64;
/** The configuration is invalid: the policy, a socket unit, or a variable that the service manager set. */
export const EX_CONFIG = 78;
