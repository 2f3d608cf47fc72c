/**
 * The sandbox of `exec --sandbox`: bubblewrap, with read access to the system's programs and libraries only.
 *
 * The sandbox has its own namespaces: no network, no other processes, no capabilities. It has these files:
 * /usr and the links into it, an empty /tmp, a /dev without devices of the host, its own read-only /proc, the
 * paths of --ro and --rw, and from /etc only the files that locate libraries and default commands. The
 * environment has only a few variables. CMD has the session's fd; bubblewrap, which is the session's process,
 * closes its own copy.
 */
import { spawnSync } from 'node:child_process';
import { constants, existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve, sep } from 'node:path';
import { type Program, VkmemError } from '@vkmemd/proto';

const HOME = '/tmp';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Folders, or links into /usr, as on the host. */
const SYSTEM = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
const ETC = ['/etc/ld.so.cache', '/etc/alternatives'];

const NEXT =
  'Correct what bubblewrap reports. Where it cannot make a namespace, allow user namespaces (sysctl ' +
  'user.max_user_namespaces, kernel.unprivileged_userns_clone, or AppArmor). Or omit --sandbox.';

export interface SandboxOptions {
  /** Paths of the host that are visible at the same place, read-only. */
  readonly ro: readonly string[];
  /** Paths of the host that are visible at the same place, writable. */
  readonly rw: readonly string[];
  /** 'NAME=VALUE', or 'NAME' for the host's value. */
  readonly env: readonly string[];
}

/**
 * The program bubblewrap, with the arguments that run the command.
 * @throws VkmemError INVALID_ARGUMENT for a path that does not exist, a variable without a name, or a command
 *   that is not in the sandbox; for the last, `metadata.errno` is ENOENT or EACCES.
 */
export function sandboxed(command: string, args: Program['args'], options: SandboxOptions): Program {
  const ro = options.ro.map((path) => present('--ro', path));
  const rw = options.rw.map((path) => present('--rw', path));
  const bound = [...ro, ...rw];
  const cwd = within(process.cwd(), bound) ? process.cwd() : HOME;
  const variables = new Map(['LANG', 'TERM', `HOME=${HOME}`, `PATH=${PATH}`, ...options.env].map(variable));
  const path = variables.get('PATH') ?? '';
  requireCommand(command, {
    folders: (path === 'PATH' ? (process.env.PATH ?? '') : path.slice('PATH='.length)).split(':'),
    cwd,
    visible: ['/usr', ...SYSTEM, ...bound, ...bound.map((each) => realpathSync(each))],
  });
  return {
    file: 'bwrap',
    args: [
      ...['--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
      ...['--ro-bind', '/usr', '/usr'],
      ...SYSTEM.flatMap(systemFolder),
      ...ETC.flatMap((path) => ['--ro-bind-try', path, path]),
      // /proc is read-only: user 0 could write to much of it, such as the kernel's settings, without any
      // capability.
      ...['--dev', '/dev', '--proc', '/proc', '--remount-ro', '/proc', '--tmpfs', '/tmp'],
      ...binds(ro, rw),
      ...['--chdir', cwd, '--', command, ...args],
    ],
    environment: [...variables.values()],
  };
}

/**
 * Tries the sandbox with a program that does nothing: bubblewrap, which replaces this program, would report only on
 * standard error that it cannot make it, once memory is allocated.
 * @throws VkmemError INVALID_ARGUMENT with what bubblewrap said.
 */
export function requireSandbox({ file, args }: Program): void {
  const options = args.slice(0, args.indexOf('--')).map(String);
  const { error, status, signal, stderr } = spawnSync(String(file), [...options, '--', '/usr/bin/true'], {
    encoding: 'utf8',
  });
  if (status === 0) return;
  if (error && 'code' in error && error.code === 'ENOENT') {
    const missing = '--sandbox: the program bwrap is missing; install the package bubblewrap.';
    throw new VkmemError('INVALID_ARGUMENT', missing, {}, error, 'Or omit --sandbox.');
  }
  const said = error?.message ?? (stderr.trim() || `it ended with ${signal ?? status}`);
  const reason = `--sandbox: bubblewrap cannot make a sandbox here: ${said}.`;
  const next = error ? 'Check whether this user may execute bwrap, or omit --sandbox.' : NEXT;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: '--sandbox' }, error, next);
}

function systemFolder(path: string): string[] {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (!entry) return [];
  return entry.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
}

/** A path inside another one follows it; otherwise the other one would hide it. */
function binds(ro: readonly string[], rw: readonly string[]): string[] {
  const all = [
    ...ro.map((path) => ['--ro-bind', path, path] as const),
    ...rw.map((path) => ['--bind', path, path] as const),
  ];
  return all.sort(([, one], [, other]) => one.length - other.length).flat();
}

function present(option: string, path: string): string {
  if (path !== '' && existsSync(path)) return resolve(path);
  throw new VkmemError('INVALID_ARGUMENT', `${option}: the path ${JSON.stringify(path)} does not exist.`, {
    field: option,
  });
}

/** The name of a variable, and the whole entry. */
function variable(entry: string): [string, string] {
  const [, name] = /^([^=]+)(=|$)/.exec(entry) ?? [];
  if (name !== undefined) return [name, entry];
  throw new VkmemError(
    'INVALID_ARGUMENT',
    `--env: ${JSON.stringify(entry)} has no name; write NAME=VALUE or NAME.`,
    {
      field: '--env',
    },
  );
}

const within = (path: string, folders: readonly string[]): boolean =>
  folders.some((folder) => path === folder || path.startsWith(folder === sep ? sep : folder + sep));

interface View {
  /** The folders in which commands are looked up. */
  readonly folders: readonly string[];
  readonly cwd: string;
  /** The paths of the host that are visible in the sandbox. */
  readonly visible: readonly string[];
}

/**
 * Checks that the command can be executed in the sandbox. bubblewrap would only report a failure, and only
 * after the session was opened.
 */
function requireCommand(command: string, { folders, cwd, visible }: View): void {
  const candidates = command.includes('/')
    ? [isAbsolute(command) ? command : join(cwd, command)]
    : folders.map((folder) => join(folder, command));
  const seen = candidates.filter((each) => existsSync(each) && within(realpathSync(each), visible));
  if (seen.some(isProgram)) return;
  const [what, errno] =
    seen.length > 0
      ? ['is not executable', 'EACCES']
      : ['is not in the sandbox; add a path of the host with --ro PATH', 'ENOENT'];
  const next =
    seen.length > 0
      ? 'Check the name of the command, and whether its file is executable.'
      : 'Check the name of the command, and which paths the sandbox has.';
  throw new VkmemError('INVALID_ARGUMENT', `${command} ${what}.`, { errno }, undefined, next);
}

/** Whether it is an executable file; only the kernel knows whether it can be executed. */
function isProgram(path: string): boolean {
  const { mode } = statSync(path);
  return (mode & constants.S_IFMT) === constants.S_IFREG && (mode & 0o111) !== 0;
}
