/** Paths in a booted system (boot.sh). */

/** The checkout. */
export const TREE = '/opt/vkmemd';
/** Node.js. */
export const NODE = '/opt/node/node';
/** The folder of the socket through which the test commands the workers. */
export const ORDERS = '/run/orders';
export const PROGRAMS = `${TREE}/test/dist/boot/programs`;
