/**
 * Which test files run in which system of the lab (scripts/lab/systems.mjs). Each case runs in a guest of its
 * own if it says what is special about that guest, and otherwise after the others of its system.
 *
 * @typedef {object} Case
 * @property {string} name For the command line: `npm run test:lab -- debian13 dma-buf`.
 * @property {string[]} systems
 * @property {string[]} steps Test files, and commands that restart the user space of the guest.
 * @property {Record<string, string>} [env] Of the files' processes.
 * @property {{ append?: string, memory?: number, processors?: number }} [guest] Of a guest of its own.
 */

/** @type {Case[]} */
export const CASES = [
  { name: 'service', systems: ['debian12', 'debian13'], steps: ['test/lab/service.test.ts'] },
  { name: 'out-of-memory', systems: ['debian12', 'debian13'], steps: ['test/lab/out-of-memory.test.ts'] },
  { name: 'dma-buf', systems: ['debian13'], steps: ['test/lab/dma-buf.test.ts'] },
  { name: 'rdma', systems: ['debian13'], steps: ['test/lab/rdma.test.ts'] },
];
