#!/bin/sh
# A root for one test, and systemd as PID 1 of it: the machine's own files below (overlayfs), and all written
# files in memory. When unshare(1) ends, no file and no process remains; `end` removes its control groups.
# `probe` only checks whether the machine allows it. Run it in a mount namespace, with a phase, an empty
# folder to mount on, a name for the control group, and the package.
#
# The clean root is the machine's own, with only the units of this test: the Debian packages that the package
# needs must be installed on the machine.
set -eu
phase=$1 folder=$2 name=$3 package=$4

control_groups() {
  mount -t tmpfs tmpfs "$folder"
  mkdir "$folder/cgroup"
  mount -t cgroup2 cgroup2 "$folder/cgroup"
  group=$folder/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/$name
}

new_root() {
  mount -t tmpfs -o mode=0755 tmpfs "$folder"
  mkdir "$folder/upper" "$folder/work" "$folder/root"
  mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"
}

case "$phase" in
probe)
  control_groups
  mkdir "$group"
  rmdir "$group"
  new_root
  exec unshare --fork --pid --mount --cgroup --ipc --uts --kill-child mount -t cgroup2 cgroup2 "$folder/root"
  ;;
begin)
  # A control group that becomes the root of the namespace's hierarchy: concurrent machines are isolated from
  # each other.
  control_groups
  mkdir "$group"
  echo $$ >"$group/cgroup.procs"
  umount "$folder/cgroup"
  umount "$folder"
  exec unshare --fork --pid --mount --cgroup --ipc --uts --kill-child "$0" boot "$folder" "$name" "$package"
  ;;
end)
  control_groups
  [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} +
  exit
  ;;
esac

new_root
cd "$folder/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=1777 tmpfs var/tmp
mount -t tmpfs -o mode=0755 tmpfs dev
for node in null zero full random urandom tty; do
  touch "dev/$node"
  mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
cp "$package" opt/vkmemd.deb

# Only the units of the test are started.
find etc/systemd/system usr/lib/systemd/system -name '*.wants' -prune -exec rm -rf {} +
rm -rf usr/lib/systemd/system-generators etc/fstab
rm -rf etc/vkmemd usr/lib/vkmemd etc/systemd/system/vkmemd* usr/lib/systemd/system/vkmemd* var/lib/systemd/deb-systemd-helper-enabled/vkmemd*
# policy-rc.d may forbid services, as on machines without systemd; rebuilding the index of all manual pages
# takes long.
rm -f usr/sbin/policy-rc.d var/lib/man-db/auto-update
cat >etc/systemd/system/package-test.target <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service sockets.target
UNIT
ln -sf package-test.target etc/systemd/system/default.target
systemd-id128 new >etc/machine-id
mkdir -p old
pivot_root . old
cd /
umount -l old
rmdir old
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=vkmemd-test \
  /lib/systemd/systemd --system --log-target=console --log-level=warning --show-status=no
