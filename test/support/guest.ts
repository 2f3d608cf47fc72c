/**
 * A guest with a kernel of its own, as the set-up builds it: Debian's kernel, and one program
 * (test/vm/guest/init.c) that opens the ivshmem device by VFIO and exchanges messages with one peer. The
 * machine is q35, which has an IOMMU.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { root } from './daemon.js';
import { ivshmemArguments } from './ivshmem-guest.js';
import { guestAccelerator, noQemu, Qemu } from './qemu.js';

const built = (name: string) => join(root, 'test/vm/build', name);

/** The reason why no guest can run here; undefined where one can. */
export const noGuest =
  noQemu ??
  (existsSync(built('initramfs')) ? undefined : 'no kernel for guests (npm run setup prints the reason)');

export interface GuestOptions {
  /** The ivshmem server's socket. */
  readonly path: string;
  readonly vectors: number;
  /** The command of the guest's program: `exchange PEER SEED` or `pong PEER`. */
  readonly command: readonly (string | number)[];
}

/** Starts the guest. It ends by itself; its output is in `output`. */
export function startGuest(t: Test, { path, vectors, command }: GuestOptions): Promise<Qemu> {
  const append = `console=ttyS0 panic=-1 quiet intel_iommu=on -- ${command.join(' ')}`;
  const boot = ['-kernel', built('vmlinuz'), '-initrd', built('initramfs'), '-append', append];
  const devices = ['-device', 'intel-iommu', '-serial', 'stdio', ...ivshmemArguments(path, vectors)];
  return Qemu.start(t, [...boot, ...devices], { guest: guestAccelerator(), machine: 'q35', memory: 256 });
}
