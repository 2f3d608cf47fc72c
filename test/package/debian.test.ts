/**
 * The package installs by apt on a stock Debian 12 and 13, each a fresh root made by debootstrap, with its dependencies from
 * the distribution and no package of Node.js. The daemon then serves there.
 *
 * The roots are temporary; packages come from the mirror that this machine uses.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { plainEnvironment, temporaryFolder } from '../support/daemon.js';
import { builtPackage, lacking, noPackage } from './support.js';

const TIMEOUT_MS = 600_000;
const SUITES = { bookworm: 12, trixie: 13 } as const;

/** The first mirror in a file of apt's sources, in either format. */
function mirrorIn(text: string): string | undefined {
  return /^deb (?:\[.*?\] )?(\S+) /m.exec(text)?.[1] ?? /^URIs: (\S+)/m.exec(text)?.[1];
}

/** The mirror that this machine uses; undefined if it is not Debian. */
function mirror(): string | undefined {
  const folder = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder) : []).map((name) => join(folder, name)),
  ];
  return files
    .filter((file) => existsSync(file))
    .map((file) => mirrorIn(readFileSync(file, 'utf8')))
    .find((uri) => uri !== undefined && /debian/.test(uri));
}

const uri = mirror();
const notRoot = process.getuid?.() === 0 ? false : 'debootstrap needs root';
const skip =
  noPackage ||
  lacking('debootstrap', 'unshare') ||
  notRoot ||
  (uri ? false : 'this machine has no Debian mirror');

/**
 * Starts the daemon without systemd, allocates through it, and stops it. The shell is PID 1 of its namespace: with it
 * everything ends.
 */
const SERVE = `
set -e
vkmemd --runtime-dir /run/try >/tmp/log 2>&1 &
for _ in $(seq 300); do [ -S /run/try/control.sock ] && break; sleep 0.1; done
vkmemctl --runtime-dir /run/try alloc frames --size 1M --json
vkmemctl --runtime-dir /run/try free frames
readlink /proc/$!/exe
kill $! && wait $!`;

t.setTimeout(900_000);

for (const [suite, number] of Object.entries(SUITES)) {
  t.test(`apt installs it on Debian ${number}`, { skip, timeout: TIMEOUT_MS }, async (t) => {
    const root = temporaryFolder(t);
    const options = {
      encoding: 'utf8',
      env: { ...plainEnvironment(), LC_ALL: 'C.UTF-8' },
      timeout: TIMEOUT_MS,
    } as const;
    const made = spawnSync('debootstrap', ['--variant=minbase', suite, root, uri ?? ''], options);
    t.equal(made.status, 0, `debootstrap: ${made.stdout.slice(-500)}${made.stderr}`);
    // How this machine reaches its mirror; the sources are those that debootstrap wrote.
    for (const path of ['/etc/apt/apt.conf', '/etc/apt/apt.conf.d', '/etc/resolv.conf', '/etc/hosts']) {
      if (existsSync(path)) cpSync(path, join(root, path), { recursive: true, dereference: true });
    }
    mkdirSync(join(root, 'opt'), { recursive: true });
    copyFileSync(builtPackage(), join(root, 'opt/vkmemd.deb'));
    /** Runs a command in the root, with /proc of its own. */
    const inside = (...command: string[]) => {
      const mounts = 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"';
      const namespaces = ['--mount', '--pid', '--fork', '--kill-child'];
      const env = [
        'env',
        '-i',
        'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
        'DEBIAN_FRONTEND=noninteractive',
        'LC_ALL=C.UTF-8',
      ];
      return spawnSync('unshare', [...namespaces, 'sh', '-c', mounts, root, ...env, ...command], options);
    };
    const done = (...command: string[]): string => {
      const { status, stdout, stderr } = inside(...command);
      t.equal(status, 0, `${command.join(' ')}: ${stdout.slice(-1000)}${stderr.slice(-1000)}`);
      return stdout;
    };
    done('apt-get', 'update', '-qq');
    done(
      'apt-get',
      'install',
      '-y',
      '-qq',
      '--no-install-recommends',
      '/opt/vkmemd.deb',
      'mesa-vulkan-drivers',
    );
    t.not(inside('dpkg-query', '--show', 'nodejs').status, 0, 'without a package of Node.js');
    t.not(inside('sh', '-c', 'command -v node').status, 0, 'and without a node on the PATH');
    t.match(done('vkmemd', '--version'), `(Node.js ${process.versions.node})`);
    const served = done('sh', '-c', SERVE);
    t.match(JSON.parse(served.split('\n')[0] ?? ''), { allocation: { name: 'frames' } }, served);
    t.match(served, '\n/usr/lib/vkmemd/bin/node\n');
    done('apt-get', 'remove', '-y', '-qq', 'vkmemd');
    t.not(inside('test', '-e', '/usr/lib/vkmemd').status, 0, 'it can be removed');
    done('apt-get', 'purge', '-y', '-qq', 'vkmemd');
  });
}
