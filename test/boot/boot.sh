#!/bin/sh
# Starts systemd as process 1 of new namespaces, on a root of its own: usage: boot.sh ROOT GIVEN TREE NODE.
#
# The root is a tmpfs on the empty folder ROOT. From the host it has /usr, the checkout TREE (as /opt/vkmemd)
# and the program NODE (as /opt/node/node), all read-only; everything else comes from GIVEN or is created. The
# files of /proc that affect the whole host are read-only, because systemd sets some of them when it starts.
# The host's root is unmounted, so nothing can change it.
set -eu
root=$1 given=$2 tree=$3 node=$4

mount -t tmpfs -o mode=0755 tmpfs "$root"
cd "$root"
mkdir -p dev etc opt/vkmemd opt/node proc run sys tmp usr var/lib var/log var/tmp
ln -s ../run var/run
chmod 1777 tmp var/tmp
mount -o bind,ro /usr usr
for folder in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$folder" ]; then
    cp -P "/$folder" "$folder"
  elif [ -d "/$folder" ]; then
    mkdir "$folder"
    mount -o bind,ro "/$folder" "$folder"
  fi
done
mount -o bind,ro "$tree" opt/vkmemd
: >opt/node/node
mount -o bind,ro "$node" opt/node/node
cp -a "$given/." .
for file in /etc/ld.so.cache /etc/alternatives; do
  if [ -e "$file" ]; then cp -a "$file" etc; fi
done

mount -t tmpfs -o mode=0755 tmpfs dev
mkdir dev/shm dev/pts
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty dev
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t proc proc proc
for path in proc/sys proc/sysrq-trigger; do
  if [ -e "$path" ]; then mount -o bind,ro "$path" "$path"; fi
done
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs run

systemd-sysusers --root="$root"
systemd-tmpfiles --root="$root" --create vkmemd.conf orders.conf

pivot_root . .
umount -l .
cd /
# Only the given units and generators exist: no unit of the host is started.
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=test \
  SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/systemd/generator \
  SYSTEMD_GENERATOR_PATH=/etc/systemd/system-generators \
  /lib/systemd/systemd --unit=boot.target --log-target=journal --show-status=no
