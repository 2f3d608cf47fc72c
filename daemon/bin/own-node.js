/**
 * The Node.js that vkmemd brings: node-linux-ARCH, in a checkout below daemon/runtime, else as a dependency of the package.
 * A Debian package has it as the interpreter of the program, and none of these.
 */
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NAME = `node-linux-${process.arch}`;

/** Its path without symbolic links, as process.execPath has it; undefined where there is none. */
export function ownNode() {
  const here = fileURLToPath(new URL('../runtime/node_modules/', import.meta.url));
  const inCheckout = join(here, NAME, 'bin/node');
  if (existsSync(inCheckout)) return realpathSync(inCheckout);
  try {
    const manifest = createRequire(import.meta.url).resolve(`${NAME}/package.json`);
    return realpathSync(join(dirname(manifest), 'bin/node'));
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    return undefined;
  }
}
