/**
 * The systems of the lab: what is installed in each. Beside Debian's own kernel and systemd, that is what the
 * package of vkmemd depends on, a Vulkan driver, and the tools that tests use.
 */

/** A system starts from these modules: it needs no other to find its disk. */
export const INITRAMFS_MODULES = ['virtio_pci', 'virtio_blk', 'ext4'];

const PACKAGES = [
  // A system that boots.
  'linux-image-amd64',
  'initramfs-tools',
  'zstd',
  'systemd-sysv',
  'udev',
  'kmod',
  'dbus',
  'libpam-systemd',
  'procps',
  'iproute2',
  // What the package depends on, and recommends.
  'libvulkan1',
  'mesa-vulkan-drivers',
  // What tests use.
  'apparmor',
  'bubblewrap',
  'ibverbs-utils',
  'libibverbs1',
  'perftest',
  'rdma-core',
  'util-linux-extra',
  // By its name too: systemd-sysv only depends on it.
  'systemd',
];

/** By their names in the lab. */
export const SYSTEMS = {
  debian12: { name: 'lab-debian12', suite: 'bookworm', packages: PACKAGES },
  debian13: { name: 'lab-debian13', suite: 'trixie', packages: PACKAGES },
};
