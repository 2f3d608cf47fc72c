/**
 * The package installs by apt on a stock Debian 12 and 13, with its dependencies from the distribution and no
 * package of Node.js. The daemon then serves there.
 *
 * Each root is a fresh copy of one that debootstrap made at most a week ago, with nothing more than LLVM, and is
 * temporary; packages come from the mirror that this machine uses (scripts/debian-root.mjs).
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { plainEnvironment, root, temporaryFolder } from '../support/daemon.js';
import { builtPackage, lacking, noPackage } from './support.js';

const TIMEOUT_MS = 600_000;
const NUMBERS: Readonly<Record<string, number>> = { bookworm: 12, trixie: 13 };

const { BARE_ROOTS, debianRoot, NETWORK, noRoots } = await import(join(root, 'scripts/debian-root.mjs'));
const skip = noPackage || lacking('unshare', 'nsenter') || (noRoots() ?? false);

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

/**
 * Unpacks a root ($1) in memory, in a mount namespace that ends with the standard input: the kernel then removes all of it.
 * On a disk unpacking takes ten times as long. $0: an empty folder; $2: the package; then the files of the network.
 */
const HOLD = `
set -e
mount -t tmpfs -o mode=0755,size=2g tmpfs "$0"
tar --numeric-owner -xpf "$1" -C "$0"
cp "$2" "$0/opt/vkmemd.deb"
shift 2
for path; do [ ! -e "$path" ] || cp -rL --parents "$path" "$0"; done
echo ready
exec cat`;

t.setTimeout(900_000);

for (const recipe of BARE_ROOTS) {
  t.test(`apt installs it on Debian ${NUMBERS[recipe.suite]}`, { skip, timeout: TIMEOUT_MS }, async (t) => {
    const system = temporaryFolder(t);
    const options = {
      encoding: 'utf8',
      env: { ...plainEnvironment(), LC_ALL: 'C.UTF-8' },
      timeout: TIMEOUT_MS,
    } as const;
    const file: string = await debianRoot(recipe);
    const holder = spawn('unshare', ['--mount', 'sh', '-c', HOLD, system, file, builtPackage(), ...NETWORK], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: options.env,
    });
    const closed = once(holder, 'close');
    t.teardown(() => {
      holder.stdin.end();
      return closed;
    });
    const [said] = await Promise.race([once(holder.stdout, 'data'), closed]);
    t.equal(String(said), 'ready\n', 'the root is unpacked');
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
      const unshare = ['unshare', ...namespaces, 'sh', '-c', mounts, system, ...env, ...command];
      return spawnSync('nsenter', ['--target', String(holder.pid), '--mount', ...unshare], options);
    };
    const done = (...command: string[]): string => {
      const { status, stdout, stderr } = inside(...command);
      t.equal(status, 0, `${command.join(' ')}: ${stdout.slice(-1000)}${stderr.slice(-1000)}`);
      return stdout;
    };
    t.not(inside('test', '-e', '/usr/lib/vkmemd').status, 0, 'the package was not installed before');
    t.not(inside('dpkg-query', '--show', 'libvulkan1').status, 0, 'nor what it depends on');
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
