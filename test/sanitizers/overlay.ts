/**
 * A copy of the workspace in which the addons are those built with sanitizers.
 *
 * Compiled TypeScript is copied, because Node.js resolves a module relative to the real path of its importer;
 * external packages and other build outputs of the tests are linked. Only the addons differ.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../support/daemon.js';

const OURS = ['@vkmemd', 'vkmemd'];
const BUILT = 'test/sanitizers/build';
const ADDONS = [
  'proto/native/build/Release/vkmem_proto.node',
  'daemon/vulkan/native/build/Release/vkmem_vulkan.node',
];
const COPIED = [
  'package.json',
  ...['proto', 'daemon', 'client/typescript'].flatMap((each) => [`${each}/package.json`, `${each}/dist`]),
  'test/dist',
];
const LINKED = [
  ...['proto/vkmem', 'proto/google', 'client/typescript/bin', 'daemon/bin', 'systemd'],
  ...['test/native/build', 'test/layer', 'test/support', 'proto/kernel'],
  'proto/native/build/Release/vkmemd_front_launcher',
  'daemon/vulkan/native/build/Release/vkmemd-cuda-export',
];

/** Creates it in an empty folder. */
export function makeOverlay(folder: string): void {
  const link = (path: string, target: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(target, join(folder, path));
  };
  for (const addon of ADDONS) {
    const built = join(root, BUILT, addon);
    if (!existsSync(built)) throw new Error(`there is no ${built}: run \`node scripts/setup.mjs test\``);
    link(addon, built);
  }
  for (const path of COPIED) cpSync(join(root, path), join(folder, path), { recursive: true });
  for (const path of LINKED) link(path, join(root, path));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!OURS.includes(name)) link(join('node_modules', name), join(root, 'node_modules', name));
  }
  link('node_modules/@vkmemd/proto', '../../proto');
  link('node_modules/@vkmemd/client', '../../client/typescript');
  link('node_modules/vkmemd', '../daemon');
}
