/**
 * The driver under the daemon: lavapipe as it is, or with the fake layer on top, whose script says when calls
 * are slow or fail.
 *
 * On the fake the kinds DMA_BUF and RDMA_ADDRESS are there, and whatever makes their handles is slow all the
 * time: only attackers ask for those, so that a victim who waits for them waits for somebody else. What
 * victims ask for too is slow once at a time, or fails once at a time, as the seed says.
 */
import { chmodSync, chownSync } from 'node:fs';
import { driverUnderTest } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import type { User } from './companion.js';
import type { Random } from './random.js';

export const DRIVERS = ['lavapipe', 'fake'] as const;
export type DriverName = (typeof DRIVERS)[number];

/** Always: the log would be longer than the disk. */
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
 * and one of these may fail, in a way that is the driver's to fail in: none of it is a defect of the daemon.
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
  readonly environment: NodeJS.ProcessEnv;
  readonly #layer: FakeLayer | undefined;

  private constructor(environment: NodeJS.ProcessEnv, layer?: FakeLayer) {
    this.environment = environment;
    this.#layer = layer;
  }

  /**
   * @param user of the daemon, who reads the script.
   * @param willRemove is told of its folder, which is the caller's to remove.
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

  /** What goes wrong next: drawn, to be given to disturb(). */
  static plan(random: Random): string {
    if (random.chance(0.5)) {
      const [call, result] = random.pick(ONCE_FAILING);
      return `fail ${call} ${random.between(1, 9)} ${result}`;
    }
    return `delay ${random.pick(ONCE_SLOW)} ${random.between(1, 9)} ${random.between(5, 60)}`;
  }

  /** Has that go wrong; '' for nothing. */
  disturb(line: string): void {
    this.#layer?.script(...LINES, ...SLOW, ...(line === '' ? [] : [line]));
  }

  /** What the driver did not get back. */
  leaks(): string[] {
    return this.#layer?.leaks() ?? [];
  }
}
