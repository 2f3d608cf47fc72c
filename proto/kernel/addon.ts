/**
 * Finds native addons. A checkout builds them in place (node-gyp). An npm package has a prebuilt one for each
 * platform, linux-ARCH-LIBC, and the sources for all other platforms.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** An addon of a package. */
export interface Addon {
  /** The name of its file, without `.node`. */
  readonly name: string;
  /** The URL of its folder of sources, with binding.gyp. Ends with a slash. */
  readonly sources: URL;
  /** The URL of the folder of prebuilt addons. Ends with a slash. */
  readonly prebuilds: URL;
  /** What must be installed to build it. */
  readonly requires: string;
}

/** The path of an ELF file's interpreter is in its first page. */
const HEAD_BYTES = 4096;

/** The C library that this Node.js is linked with. */
function libc(): 'glibc' | 'musl' {
  const head = Buffer.alloc(HEAD_BYTES);
  try {
    const fd = openSync(process.execPath, 'r');
    try {
      readSync(fd, head);
    } finally {
      closeSync(fd);
    }
  } catch {
    // It was removed or is not readable.
  }
  return head.includes('/ld-musl-') ? 'musl' : 'glibc';
}

/** The platform as prebuilt addons are named by it: linux-x64-glibc. */
export const addonPlatform = (): string => `${process.platform}-${process.arch}-${libc()}`;

/** A file that was built from an addon's sources. */
export interface BuiltFile {
  readonly path: string;
  /** How to build it on this machine. Undefined if it was built here. */
  readonly build?: string;
}

/**
 * Finds a file that is built from an addon's sources: the one that was built here, if there is one, otherwise
 * the prebuilt one of this platform.
 * @param what What the file is, for the error.
 * @throws Error if neither exists. The text says how to build it.
 */
export function builtFile({ sources, prebuilds, requires }: Addon, file: string, what: string): BuiltFile {
  const built = fileURLToPath(new URL(`build/Release/${file}`, sources));
  if (existsSync(built)) return { path: built };
  const folder = relative('', fileURLToPath(sources)) || '.';
  const platform = addonPlatform();
  if (!existsSync(prebuilds)) throw new Error(`The ${what} is not built. Run \`npm run setup\`.`);
  const build =
    `Build it from its sources: install ${requires}, and run ` + `\`npx node-gyp rebuild -C ${folder}\`.`;
  const path = fileURLToPath(new URL(`${platform}/${file}`, prebuilds));
  if (!existsSync(path)) throw new Error(`This package has no ${what} for ${platform}. ${build}`);
  return { path, build };
}

/**
 * Loads an addon: the one that was built from its sources, if there is one, otherwise the prebuilt one of this
 * platform.
 * @throws Error if neither exists or can be loaded. The text says how to build it.
 */
export function loadAddon(addon: Addon): unknown {
  const what = `native addon ${addon.name}`;
  const { path, build } = builtFile(addon, `${addon.name}.node`, what);
  try {
    return createRequire(import.meta.url)(path);
  } catch (error) {
    if (build === undefined) throw error;
    const [reason] = String(error instanceof Error ? error.message : error).split('\n');
    throw new Error(`The ${what} for ${addonPlatform()} cannot be loaded: ${reason}. ${build}`, {
      cause: error,
    });
  }
}
