/**
 * Which test files run in which system of the lab (scripts/lab/systems.mjs). The cases of one group share a guest, in
 * this order. A file is one of test/lab, or any other that is to be seen on another kernel, systemd or driver.
 *
 * Those of test/boot and test/package run a systemd in namespaces, in roots of Debian that are made with a network:
 * here the package is installed, and systemd is process 1, so `service` to `soft-reboot` take their place.
 *
 * @typedef {object} Case
 * @property {string} name For the command line: `npm run test:lab -- debian13 dma-buf`.
 * @property {string} group Of the guest.
 * @property {string[]} systems
 * @property {string[]} steps Test files, and commands that restart the user space of the guest.
 * @property {string[]} [peer] Steps of a second guest, which run beside the others. The two have a guest each, of
 *   their own, and eth0 of one is connected to eth0 of the other.
 * @property {Record<string, string>} [env] Of the files' processes.
 */

const BOTH = ['debian12', 'debian13'];
const OLDEST = ['debian12'];
const NEWEST = ['debian13'];
/** The package, as systemd runs it. */
const INSTALLED = 'installed';
/** Daemons that tests start, on that kernel and driver. */
const STARTED = 'started';

/** @type {Case[]} */
export const CASES = [
  { name: 'service', group: INSTALLED, systems: BOTH, steps: ['test/lab/service.test.ts'] },
  { name: 'peer-process', group: INSTALLED, systems: OLDEST, steps: ['test/lab/peer-process.test.ts'] },
  { name: 'out-of-memory', group: INSTALLED, systems: NEWEST, steps: ['test/lab/out-of-memory.test.ts'] },
  { name: 'policy', group: INSTALLED, systems: OLDEST, steps: ['test/policy/unit.test.ts'] },
  { name: 'logins', group: INSTALLED, systems: NEWEST, steps: ['test/lab/logins.test.ts'] },
  {
    name: 'soft-reboot',
    group: INSTALLED,
    systems: NEWEST,
    steps: [
      'test/lab/before-soft-reboot.test.ts',
      'systemctl soft-reboot',
      'test/lab/after-soft-reboot.test.ts',
    ],
  },
  {
    name: 'rdma-guests',
    group: 'pair',
    systems: NEWEST,
    steps: ['test/lab/rdma-guests.test.ts'],
    peer: ['test/lab/rdma-peer.test.ts'],
  },
  {
    name: 'dma-buf',
    group: STARTED,
    systems: NEWEST,
    steps: ['test/lab/dma-buf.test.ts', 'test/lab/dma-buf-sync.test.ts', 'test/lab/dma-buf-holders.test.ts'],
  },
  { name: 'challenge', group: STARTED, systems: OLDEST, steps: ['test/daemon/challenge.test.ts'] },
  { name: 'images', group: STARTED, systems: NEWEST, steps: ['test/lab/images.test.ts'] },
  { name: 'budget', group: STARTED, systems: NEWEST, steps: ['test/lab/budget.test.ts'] },
  {
    name: 'matrix',
    group: STARTED,
    systems: NEWEST,
    steps: ['test/matrix/matrix.test.ts'],
    env: { VKMEMD_MATRIX_DRIVERS: 'lavapipe' },
  },
  { name: 'spine', group: STARTED, systems: NEWEST, steps: ['test/daemon/lifetime.test.ts'] },
  { name: 'host-memory', group: STARTED, systems: NEWEST, steps: ['test/daemon/host-memory.test.ts'] },
  { name: 'rdma', group: STARTED, systems: NEWEST, steps: ['test/lab/rdma.test.ts'] },
  { name: 'rdma-namespaces', group: STARTED, systems: NEWEST, steps: ['test/lab/rdma-namespaces.test.ts'] },
];
