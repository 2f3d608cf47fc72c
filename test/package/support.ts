/** The Debian package for tests: built from this checkout unless it was built already, and unpacked. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import t, { type Test } from 'tap';
import { plainEnvironment, root } from '../support/daemon.js';

const onPath = (command: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, command)));

/** Which of these commands are missing, as a reason to skip; false if none is. */
export function lacking(...commands: string[]): string | false {
  const missing = commands.filter((command) => !onPath(command));
  return missing.length > 0 && `there is no ${missing.join(', ')}`;
}

/** The reason why no package can be built here; false where it can. */
export const noPackage = lacking('dpkg', 'dpkg-deb', 'objdump', 'strip');

const SHARED_MEMORY = '/dev/shm';
/** Of one file of tests, at most. */
const ROOM_BYTES = 2 ** 31;

/** Whether files may be written to memory, and programs run there. */
function hasMemory(): boolean {
  const mount = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .findLast((line) => line.split(' ')[1] === SHARED_MEMORY);
  const [, , type, options = ''] = mount?.split(' ') ?? [];
  if (type !== 'tmpfs' || /\b(ro|noexec)\b/.test(options)) return false;
  const { bavail, bsize } = statfsSync(SHARED_MEMORY);
  const [, available = '0'] = /^MemAvailable: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
  return Math.min(bavail * bsize, Number(available) * 1024) > 2 * ROOM_BYTES;
}

/** Where a test puts hundreds of megabytes: to write them to a disk may take most of its processor time. */
const roomy = hasMemory() ? SHARED_MEMORY : tmpdir();

/** A temporary folder for hundreds of megabytes. */
export function roomyFolder(t: Test): string {
  const folder = mkdtempSync(join(roomy, 'vkmemd-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The set-up's exit status where something cannot be installed. */
const EX_UNAVAILABLE = 69;

/** What cannot be installed, and so no package built. */
export class Unavailable extends Error {}

/** Runs the program that builds the package. @returns the package's path. */
export function build(...args: string[]): string {
  const env = { ...plainEnvironment(), TMPDIR: roomy };
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
  build('--output', roomyFolder(t), ...options);

let folder: string | undefined;

/** The files that the package installs, in a folder that is shared by the test file. */
export function unpacked(): string {
  if (folder === undefined) {
    folder = roomyFolder(t);
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

const lists = new Map<string, Listed[]>();

/** The entries of a package, which is decompressed once for it. */
export function listed(file = builtPackage()): Listed[] {
  const list = lists.get(file) ?? listedBy(file);
  lists.set(file, list);
  return list;
}

function listedBy(file: string): Listed[] {
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
