#!/bin/sh
# In a guest of the lab: runs the commands that the host writes to the port, one a line, one after the other,
# and writes their output to it. After its output, a line of its own says how a command ended: the record
# separator (octal 036), its number, its status. The first such line of a boot is the separator and "ready".
set -u
port=/dev/virtio-ports/lab
# udev makes it, in a busy guest after more than systemd waits for a device.
until [ -e "$port" ]; do sleep 1; done
# Only one process may have it open, and only once.
exec 3<>"$port" 4>&3
printf '\036ready\n' >&4
while read -r number command <&3; do
  sh -c "$command" </dev/null >&4 2>&1 3<&-
  printf '\n\036%s %s\n' "$number" "$?" >&4
done
