/**
 * A host with two GPUs, for one test: lavapipe and SwiftShader behind the fake layer, with PCI addresses, as
 * discrete devices. In the order of their addresses SwiftShader is the first; the loader lists lavapipe first.
 */
import { existsSync } from 'node:fs';
import type { Test } from 'tap';
import { lavapipe } from './daemon.js';
import { FakeLayer } from './fake-layer.js';

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** The reason why there is no second driver; false where there is. */
export const noSecondGpu: string | false = existsSync(SWIFTSHADER)
  ? false
  : `no ${SWIFTSHADER}: install chromium-common of Debian`;

/** A GPU of this host, as `vkmemd --list-devices` and descriptions have it. */
export interface Gpu {
  readonly index: number;
  readonly uuid: string;
  readonly pciAddress: string;
  /** A part of its name that the other one lacks. */
  readonly part: string;
}

export const SECOND_DRIVER: Gpu = {
  index: 0,
  uuid: '53776966-7453-6861-6465-725555494400',
  pciAddress: '0000:41:00.0',
  part: 'swiftshader',
};
export const FIRST_DRIVER: Omit<Gpu, 'uuid'> = { index: 1, pciAddress: '0000:c1:00.0', part: 'LLVMPIPE' };

const LINES = [`pci llvmpipe ${FIRST_DRIVER.pciAddress}`, `pci SwiftShader ${SECOND_DRIVER.pciAddress}`];

export class TwoGpus {
  readonly #layer: FakeLayer;
  readonly #lines: readonly string[];

  /** @param lines Further lines of the script, for both. Default: discrete devices. */
  constructor(t: Pick<Test, 'teardown'>, lines: readonly string[] = ['device_type discrete']) {
    this.#lines = lines;
    this.#layer = new FakeLayer(t, ...LINES, ...lines);
  }

  /** For a daemon or another program. */
  get environment(): NodeJS.ProcessEnv {
    return { ...this.#layer.environment, VK_DRIVER_FILES: `${lavapipe()}:${SWIFTSHADER}` };
  }

  /** Adds lines to the script, in place of those that were added before. */
  script(...lines: readonly string[]): void {
    this.#layer.script(...LINES, ...this.#lines, ...lines);
  }
}
