/**
 * The sandbox of `exec --sandbox`: bubblewrap, with the system's programs and libraries to read and nothing
 * else.
 *
 * Every namespace is the sandbox's own: no network, no other process, no capability. Of files there are /usr
 * and what leads into it, an empty /tmp, a /dev without devices of the host, a /proc of its own to read, and
 * what --ro and --rw name; of /etc only what finds libraries and the default commands. The environment is
 * empty but for a few variables. CMD has the session's fd; bubblewrap, which is the session's process, keeps
 * none.
 */
import { constants, existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve, sep } from 'node:path';
import { type Program, VkmemError } from '@vkmemd/proto';

const HOME = '/tmp';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Folders of their own or links into /usr, as the host has them. */
const SYSTEM = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
const ETC = ['/etc/ld.so.cache', '/etc/alternatives'];

export interface SandboxOptions {
  /** Paths of the host that can be read, or written too, at the same place. */
  readonly ro: readonly string[];
  readonly rw: readonly string[];
  /** 'NAME=VALUE', or 'NAME' for the host's value. */
  readonly env: readonly string[];
}

/**
 * bubblewrap, running the command.
 * @throws VkmemError INVALID_ARGUMENT for a path that is not there, a variable without a name, or a command
 *   that is not in the sandbox; `metadata.errno` is ENOENT or EACCES for the last.
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
      // Without being writable: much of /proc, such as the kernel's settings, obeys user 0 without any capability.
      ...['--dev', '/dev', '--proc', '/proc', '--remount-ro', '/proc', '--tmpfs', '/tmp'],
      ...binds(ro, rw),
      ...['--chdir', cwd, '--', command, ...args],
    ],
    environment: [...variables.values()],
  };
}

function systemFolder(path: string): string[] {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (!entry) return [];
  return entry.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
}

/** What is within another comes behind it, which would hide it otherwise. */
function binds(ro: readonly string[], rw: readonly string[]): string[] {
  const all = [
    ...ro.map((path) => ['--ro-bind', path, path] as const),
    ...rw.map((path) => ['--bind', path, path] as const),
  ];
  return all.sort(([, one], [, other]) => one.length - other.length).flat();
}

function present(option: string, path: string): string {
  if (path !== '' && existsSync(path)) return resolve(path);
  throw new VkmemError('INVALID_ARGUMENT', `${option}: there is no ${JSON.stringify(path)}.`, {
    field: option,
  });
}

/** Its name, and the whole of it. */
function variable(entry: string): [string, string] {
  const [, name] = /^([^=]+)(=|$)/.exec(entry) ?? [];
  if (name !== undefined) return [name, entry];
  throw new VkmemError('INVALID_ARGUMENT', `--env: ${JSON.stringify(entry)} has no name.`, {
    field: '--env',
  });
}

const within = (path: string, folders: readonly string[]): boolean =>
  folders.some((folder) => path === folder || path.startsWith(folder === sep ? sep : folder + sep));

interface View {
  /** Where commands are looked for. */
  readonly folders: readonly string[];
  readonly cwd: string;
  /** What of the host the sandbox shows. */
  readonly visible: readonly string[];
}

/**
 * Asked here, since the sandbox could say no more than that it failed, and the session would have been begun.
 */
function requireCommand(command: string, { folders, cwd, visible }: View): void {
  const candidates = command.includes('/')
    ? [isAbsolute(command) ? command : join(cwd, command)]
    : folders.map((folder) => join(folder, command));
  const seen = candidates.filter((each) => existsSync(each) && within(realpathSync(each), visible));
  if (seen.some(isProgram)) return;
  const [what, errno] =
    seen.length > 0
      ? ['cannot be run', 'EACCES']
      : ['is not in the sandbox; --ro PATH shows it a path of the host', 'ENOENT'];
  throw new VkmemError('INVALID_ARGUMENT', `${command} ${what}.`, { errno });
}

/** A file that may be run; whether it can be, the kernel says. */
function isProgram(path: string): boolean {
  const { mode } = statSync(path);
  return (mode & constants.S_IFMT) === constants.S_IFREG && (mode & 0o111) !== 0;
}
