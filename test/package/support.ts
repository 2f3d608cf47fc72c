/** The Debian package for tests: built from this checkout unless it was built already, and unpacked. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t, { type Test } from 'tap';
import { plainEnvironment, root, temporaryFolder } from '../support/daemon.js';

const onPath = (command: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, command)));

/** Which of these commands are missing, as a reason to skip; false if none is. */
export function lacking(...commands: string[]): string | false {
  const missing = commands.filter((command) => !onPath(command));
  return missing.length > 0 && `there is no ${missing.join(', ')}`;
}

/** The reason why no package can be built here; false where it can. */
export const noPackage = lacking('dpkg', 'dpkg-deb', 'objdump', 'strip');

/** The set-up's exit status where something cannot be installed. */
const EX_UNAVAILABLE = 69;

/** What cannot be installed, and so no package built. */
export class Unavailable extends Error {}

/** Runs the program that builds the package. @returns the package's path. */
export function build(...args: string[]): string {
  const env = plainEnvironment();
  const program = join(root, 'scripts/package.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    env,
  });
  if (status === EX_UNAVAILABLE) throw new Unavailable(stderr.trim().split('\n').at(-1));
  if (status !== 0) throw new Error(`the package was not built: ${stderr}`);
  return stdout.trim();
}

let built: string | undefined;

/** The package of this checkout. */
export function builtPackage(): string {
  built ??= build();
  return built;
}

/** Builds the same package again; with compression that takes a while. */
export const builtAnew = (t: Test, ...options: string[]): string =>
  build('--output', temporaryFolder(t), ...options);

let folder: string | undefined;

/** The files that the package installs, in a folder that is shared by the test file. */
export function unpacked(): string {
  if (folder === undefined) {
    folder = temporaryFolder(t);
    execFileSync('dpkg-deb', ['--extract', builtPackage(), folder]);
  }
  return folder;
}

/** One entry of the package, as dpkg-deb lists it. */
export interface Listed {
  /** As ls(1) prints it: -rw-r--r-- */
  readonly mode: string;
  readonly owner: string;
  readonly date: string;
  /** With the leading /. */
  readonly path: string;
  readonly target: string | undefined;
}

export function listed(file = builtPackage()): Listed[] {
  const { stdout } = spawnSync('dpkg-deb', ['--contents', file], {
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
export function field(name: string, file = builtPackage()): string {
  return execFileSync('dpkg-deb', ['--field', file, name], { encoding: 'utf8' }).trim();
}
