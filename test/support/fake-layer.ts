/**
 * The fake driver layer of test/layer, for one test: a script that lists the faked behaviour, and a log of
 * the calls.
 *
 * A program that is started with `environment` uses lavapipe through the real loader, with
 * VK_LAYER_VKMEMD_fake between the two. test/layer/script.h describes the lines of a script, and the
 * defaults: a device like lavapipe, but named a fake. Lines can change while the program runs: the next
 * Vulkan call reads them, and counts calls from 1 again. The set-up for tests builds the layer
 * (scripts/setup.mjs); nothing is compiled here.
 */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { lavapipe, root } from './daemon.js';

const folder = join(root, 'test/layer');

/** One intercepted call, recorded when it returned. */
export interface FakeCall {
  /** For example vkAllocateMemory. */
  readonly name: string;
  /** For example `size`, as the layer names it. */
  readonly values: Readonly<Record<string, string>>;
  /** The name of the VkResult, or `void`. */
  readonly result: string;
}

export class FakeLayer {
  /** A program of the layer's own test; see test/layer/program/program.h. */
  static readonly program = join(folder, 'build/program');
  /** Runs `works|fails COMMAND...` with a fake of the dma-buf ioctl: for clients, which have no layer. */
  static readonly filtered = join(folder, 'build/filtered');

  readonly folder: string;

  /**
   * The folder is removed when the test ends. A layer that is created before its daemon outlives the daemon.
   */
  constructor(t: Pick<Test, 'teardown'>, ...lines: readonly string[]) {
    if (!existsSync(join(folder, 'build/libVkLayer_vkmemd_fake.so'))) {
      throw new Error('the fake layer is not built; run `node scripts/setup.mjs test`');
    }
    this.folder = mkdtempSync(join(tmpdir(), 'vkmemd-fake-'));
    t.teardown(() => this.dispose());
    this.script(...lines);
  }

  /** The environment for a daemon or another program. */
  get environment(): NodeJS.ProcessEnv {
    return {
      VK_DRIVER_FILES: lavapipe(),
      VK_INSTANCE_LAYERS: 'VK_LAYER_VKMEMD_fake',
      VK_LAYER_PATH: folder,
      VKMEMD_FAKE_SCRIPT: join(this.folder, 'script'),
      // Mesa's own layer sorts devices and queries them while it does: those calls would be counted too.
      NODEVICE_SELECT: '1',
    };
  }

  /** Replaces all lines at once. */
  script(...lines: readonly string[]): void {
    const path = join(this.folder, 'script');
    const own = [`log ${join(this.folder, 'log')}`, `leaks ${join(this.folder, 'leaks')}`];
    writeFileSync(`${path}.new`, `${[...own, ...lines].join('\n')}\n`);
    renameSync(`${path}.new`, path);
  }

  /** Every call so far, or those with this name, in the order in which they returned. */
  calls(name?: string): FakeCall[] {
    const calls = this.#lines('log').filter((line) => !line.startsWith('#'));
    return calls.map(parseCall).filter((call) => name === undefined || call.name === name);
  }

  /**
   * The objects that devices left when they were destroyed: one line a device, such as "leaked 1 memories,
   * ...".
   */
  leaks(): string[] {
    return this.#lines('leaks');
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #lines(name: string): string[] {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
  }
}

function parseCall(line: string): FakeCall {
  const [before = '', result = ''] = line.split(' -> ');
  const [name = '', ...pairs] = before.split(' ');
  const values = pairs.map((pair) => pair.split('=') as [string, string]);
  return { name, values: Object.fromEntries(values), result };
}
