/**
 * The driver of the daemon: lavapipe unchanged, or with the fake layer on top, whose script makes calls slow
 * or fail.
 *
 * The fake supports the kinds DMA_BUF and RDMA_ADDRESS, and their export calls are always slow: only
 * attackers request these, so that a waiting victim waits for another client. Calls that victims need too are
 * slow or fail once at a time, as the seed determines.
 */
import { chmodSync, chownSync } from 'node:fs';
import { driverUnderTest } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import type { User } from './companion.js';
import type { Random } from './random.js';

export const DRIVERS = ['lavapipe', 'fake'] as const;
export type DriverName = (typeof DRIVERS)[number];

/** Always: a log would fill the disk. */
const LINES = ['log /dev/null', 'dma_buf present', 'rdma present'];
const SLOW = ['delay vkGetMemoryFdKHR * 20', 'delay vkGetMemoryRemoteAddressNV * 20'];
/** One call of these may be slow, */
const ONCE_SLOW = [
  'vkAllocateMemory',
  'vkFreeMemory',
  'vkBindBufferMemory',
  'vkCreateBuffer',
  'vkQueueSubmit',
];
/**
 * and one of these may fail, with an error that a driver may return: none of it is a defect of the daemon.
 */
const ONCE_FAILING = [
  ['vkAllocateMemory', 'VK_ERROR_OUT_OF_DEVICE_MEMORY'],
  ['vkAllocateMemory', 'VK_ERROR_TOO_MANY_OBJECTS'],
  ['vkGetMemoryFdKHR', 'VK_ERROR_TOO_MANY_OBJECTS'],
  ['vkGetMemoryFdKHR', 'VK_ERROR_OUT_OF_HOST_MEMORY'],
  ['vkCreateBuffer', 'VK_ERROR_OUT_OF_HOST_MEMORY'],
  ['vkBindBufferMemory', 'VK_ERROR_OUT_OF_DEVICE_MEMORY'],
  ['vkQueueSubmit', 'VK_ERROR_OUT_OF_DEVICE_MEMORY'],
  ['vkQueueSubmit', 'VK_ERROR_DEVICE_LOST'],
] as const;

export class Driver {
  /** Codes that a correct client may get while it fails. */
  static readonly REFUSED: readonly string[] = [
    'DEVICE_OUT_OF_MEMORY',
    'TOO_MANY_ALLOCATIONS',
    'DEVICE_LOST',
  ];
  readonly environment: NodeJS.ProcessEnv;
  readonly #layer: FakeLayer | undefined;

  private constructor(environment: NodeJS.ProcessEnv, layer?: FakeLayer) {
    this.environment = environment;
    this.#layer = layer;
  }

  /**
   * @param user of the daemon, which reads the script.
   * @param willRemove is called with its folder, which the caller must remove.
   */
  static open(name: DriverName, user: User | undefined, willRemove: (folder: string) => void): Driver {
    if (name === 'lavapipe') return new Driver({ VK_DRIVER_FILES: driverUnderTest() });
    const layer = new FakeLayer({ teardown: () => {} }, ...LINES, ...SLOW);
    willRemove(layer.folder);
    chmodSync(layer.folder, 0o755);
    if (user) chownSync(layer.folder, user.uid, user.gid);
    return new Driver(layer.environment, layer);
  }

  /** Whether calls can be made slow and fail. */
  get scripted(): boolean {
    return this.#layer !== undefined;
  }

  /** Draws the next disturbance, to be passed to disturb(). */
  static plan(random: Random): string {
    if (random.chance(0.5)) {
      const [call, result] = random.pick(ONCE_FAILING);
      return `fail ${call} ${random.between(1, 9)} ${result}`;
    }
    return `delay ${random.pick(ONCE_SLOW)} ${random.between(1, 9)} ${random.between(5, 60)}`;
  }

  /** Applies a disturbance; '' for none. */
  disturb(line: string): void {
    this.#layer?.script(...LINES, ...SLOW, ...(line === '' ? [] : [line]));
  }

  /** The objects that the driver still has. */
  leaks(): string[] {
    return this.#layer?.leaks() ?? [];
  }
}
