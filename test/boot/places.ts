/**
 * Places in a booted system (boot.sh).
 */

/** The checkout. */
export const TREE = '/opt/vkmemd';
/** Node.js. */
export const NODE = '/opt/node/node';
/** The folder of the socket by which workers are told what to do; the test listens there. */
export const ORDERS = '/run/orders';
export const PROGRAMS = `${TREE}/test/dist/boot/programs`;
