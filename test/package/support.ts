/**
 * The Debian package as tests have it: built of this checkout, where that was not done yet, and taken apart
 * again.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t, { type Test } from 'tap';
import { plainEnvironment, root, temporaryFolder } from '../support/daemon.js';

const onPath = (command: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, command)));

/** Which of some commands there are none of, as a reason to skip; false where there are all. */
export function lacking(...commands: string[]): string | false {
  const missing = commands.filter((command) => !onPath(command));
  return missing.length > 0 && `there is no ${missing.join(', ')}`;
}

/** Why no package can be built here; false where one can. */
export const noPackage = lacking('dpkg', 'dpkg-deb', 'dpkg-shlibdeps', 'strip');

/** Runs the program that builds it. @returns the package's path. */
function build(...args: string[]): string {
  const env = plainEnvironment();
  const program = join(root, 'scripts/package.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    env,
  });
  if (status !== 0) throw new Error(`the package was not built: ${stderr}`);
  return stdout.trim();
}

let built: string | undefined;

/** The package of this checkout. */
export function builtPackage(): string {
  built ??= build();
  return built;
}

/** The same, built once more: it takes a while. */
export const builtAnew = (t: Test): string => build('--output', temporaryFolder(t));

let folder: string | undefined;

/** What the package installs, below a folder of the whole test file. */
export function unpacked(): string {
  if (folder === undefined) {
    folder = temporaryFolder(t);
    execFileSync('dpkg-deb', ['--extract', builtPackage(), folder]);
  }
  return folder;
}

/** One thing that the package installs, as dpkg-deb lists it. */
export interface Listed {
  /** As ls(1) has it: -rw-r--r-- */
  readonly mode: string;
  readonly owner: string;
  readonly date: string;
  /** From / on. */
  readonly path: string;
  readonly target: string | undefined;
}

export function listed(): Listed[] {
  const { stdout } = spawnSync('dpkg-deb', ['--contents', builtPackage()], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, mode = '', owner = '', date = '', path = '', target] =
        /^(\S+) (\S+) +\d+ (\S+ \S+) \.(\/.*?)(?: -> (.*))?$/.exec(line) ?? [];
      return { mode, owner, date, path, target };
    });
}

/** A field of the package's control file. */
export function field(name: string): string {
  return execFileSync('dpkg-deb', ['--field', builtPackage(), name], { encoding: 'utf8' }).trim();
}
