/**
 * The disk of a system of the lab: .setup/lab/SYSTEM-DIGEST/{disk,vmlinuz,initrd}, a root of Debian in which
 * the package of vkmemd is installed. The root is made anew after a week (scripts/debian-root.mjs), the disk
 * for another root or package.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { root, run } from '../command.mjs';
import { archive } from '../cpio.mjs';
import { debianRoot } from '../debian-root.mjs';
import { digest } from '../inputs.mjs';
import { INITRAMFS_MODULES, SYSTEMS } from './systems.mjs';

const FOLDER = '.setup/lab';
const DISK_MIB = 3072;
const AGENT = 'scripts/lab/agent.sh';
const UNIT = 'scripts/lab/agent.service';
const INIT = 'scripts/lab/init.c';
const OWN = 'scripts/lab/image.mjs';

/**
 * Makes the three files in memory, in a mount namespace that ends with it.
 * $0: an empty folder; $1: the root's tar; $2: the package; $3: the agent; $4: its unit; $5: the folder of the
 * files; $6: a log; $7: the size in MiB; then the modules of the initramfs.
 *
 * The package finds no systemd that runs: it enables its units, and starts none. Guests of the lab have no
 * network and no terminals, need no times of files, and start nothing by a timer.
 */
const MAKE = `
set -eu
tar=$1 package=$2 agent=$3 unit=$4 into=$5 log=$6 size=$7
shift 7
exec 3>&2 >"$log" 2>&1
trap '[ $? = 0 ] || tail -n 20 "$log" >&3' EXIT
mount -t tmpfs -o mode=0755,size=4g tmpfs "$0"
root=$0/root
mkdir "$root"
tar --numeric-owner -xpf "$tar" -C "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
inside() {
  chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}
cp "$root"/boot/vmlinuz-* "$into/vmlinuz"
mkdir "$into/modules"
version=$(ls "$root/lib/modules")
number=100
for module; do inside modprobe --set-version "$version" --show-depends "$module"; done >"$0/depends"
for path in $(awk '$1 == "insmod" && !seen[$2]++ { print $2 }' "$0/depends"); do
  number=$((number + 1))
  case $path in
  *.xz) xz -dc "$root$path" >"$into/modules/$number.ko" ;;
  *) cp "$root$path" "$into/modules/$number.ko" ;;
  esac
done
cp "$package" "$root/vkmemd.deb"
inside dpkg -i /vkmemd.deb
# An emulated client may need more than 5 s from connect() to Hello.
printf '[limits]\\nhandshake_ms = 60000\\n' >"$root/etc/vkmemd/conf.d/00-lab.toml"
rm "$root/vkmemd.deb" "$root"/boot/*
install -m 0755 "$agent" "$root/usr/local/lib/lab-agent"
install -m 0644 "$unit" "$root/etc/systemd/system/lab-agent.service"
inside systemctl enable lab-agent.service
inside systemctl disable apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \\
  e2scrub_reap.service fstrim.timer getty@.service || true
inside systemctl set-default multi-user.target
# Debian's own profiles take a minute to compile there.
find "$root/etc/apparmor.d" -maxdepth 1 -type f ! -name vkmemd -delete
# Without what switches auditing on, which slows every call; refusals of AppArmor are in the kernel's log anyway.
inside systemctl mask serial-getty@ttyS0.service systemd-journald-audit.socket
echo lab >"$root/etc/hostname"
# The first boot is like any other: nothing is to be made anew.
inside systemd-machine-id-setup
inside ldconfig
touch "$root/etc/.updated" "$root/var/.updated"
: >"$root/etc/fstab"
rm -rf "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/locale/*
umount "$root/dev" "$root/proc"
mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0,lazy_itable_init=1 -d "$root" "$into/disk" "\${size}m"
`;

/** Writes `initrd`: init.c, and the modules in their order. */
async function writeInitramfs(folder) {
  const [init, modules] = [join(folder, 'init'), join(folder, 'modules')];
  await run("building the lab's init", 'gcc', ['-static', '-O2', '-Wall', '-Wextra', '-o', init, INIT]);
  const files = readdirSync(modules).map((name) => [
    `modules/${name}`,
    readFileSync(join(modules, name)),
    0o644,
  ]);
  const folders = ['dev', 'root', 'modules'].map((name) => [name, undefined, 0o755]);
  writeFileSync(join(folder, 'initrd'), archive([['init', readFileSync(init), 0o755], ...folders, ...files]));
  rmSync(modules, { recursive: true });
  rmSync(init);
}

/** Removes the disks of other roots and packages, which no guest uses any more. */
function prepareFolder(system, keep) {
  const folder = join(root, FOLDER);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${system}-`) && name !== keep) rmSync(join(folder, name), { recursive: true });
  }
  return mkdtempSync(join(folder, `${system}-unfinished-`));
}

/**
 * @param system A name of SYSTEMS.
 * @param file The package of vkmemd.
 * @returns the folder with disk, vmlinuz and initrd.
 */
export async function labImage(system, file) {
  const tar = await debianRoot(SYSTEMS[system]);
  const { size, mtimeMs } = statSync(tar);
  const made = [basename(tar), String(size), String(mtimeMs)];
  const contents = readFileSync(file).toString('base64');
  const recipe = digest([AGENT, UNIT, INIT, OWN], ...made, contents, ...INITRAMFS_MODULES);
  const name = `${system}-${recipe.slice(0, 12)}`;
  const into = join(root, FOLDER, name);
  if (existsSync(into)) return into;
  const work = prepareFolder(system, name);
  try {
    const [mount, log, files] = ['mount', 'log', 'files'].map((each) => join(work, each));
    for (const folder of [mount, files]) mkdirSync(folder);
    const given = [mount, tar, file, join(root, AGENT), join(root, UNIT), files, log, String(DISK_MIB)];
    const args = [
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      'sh',
      '-c',
      MAKE,
      ...given,
      ...INITRAMFS_MODULES,
    ];
    await run(`making the disk of ${system}`, 'unshare', args, {
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    await writeInitramfs(files);
    renameSync(files, into);
  } finally {
    rmSync(work, { recursive: true });
  }
  return into;
}
