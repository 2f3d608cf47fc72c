/**
 * A guest with a kernel of its own, as the set-up makes it: Debian's kernel, and one program
 * (test/vm/guest/init.c) that takes the ivshmem device by VFIO and speaks with one peer of it. The machine is
 * q35, for its IOMMU.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { root } from './daemon.js';
import { ivshmemArguments } from './ivshmem-guest.js';
import { guestAccelerator, noQemu, Qemu } from './qemu.js';

const built = (name: string) => join(root, 'test/vm/build', name);

/** Why there is no guest here; undefined where there is. */
export const noGuest =
  noQemu ?? (existsSync(built('initramfs')) ? undefined : 'no kernel for guests (npm run setup says why)');

export interface GuestOptions {
  /** The ivshmem server's socket. */
  readonly path: string;
  readonly vectors: number;
  /** What its program does: `exchange PEER SEED` or `pong PEER`. */
  readonly command: readonly (string | number)[];
}

/** Starts it; it ends by itself, with what it had to say in `output`. */
export function startGuest(t: Test, { path, vectors, command }: GuestOptions): Promise<Qemu> {
  const append = `console=ttyS0 panic=-1 quiet intel_iommu=on -- ${command.join(' ')}`;
  const boot = ['-kernel', built('vmlinuz'), '-initrd', built('initramfs'), '-append', append];
  const devices = ['-device', 'intel-iommu', '-serial', 'stdio', ...ivshmemArguments(path, vectors)];
  return Qemu.start(t, [...boot, ...devices], { guest: guestAccelerator(), machine: 'q35', memory: 256 });
}
