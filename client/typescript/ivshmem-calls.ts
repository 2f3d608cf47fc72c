/**
 * IvshmemCalls: which allocations virtual machines are offered as QEMU's ivshmem device. A part of ControlClient.
 */
import type { Decoded } from '@vkmemd/proto';
import { present } from './connection/answer.js';
import { PolicyCalls } from './policy.js';
import { checkRef, checkUint32, type Ref } from './request/arguments.js';

/** One allocation that is offered: where, and who is connected. */
export type IvshmemServer = Decoded<'IvshmemServer'>;

export class IvshmemCalls extends PolicyCalls {
  /**
   * Offers an allocation on a Unix socket in the daemon's folder, for `-chardev socket,path=` and `-device ivshmem-doorbell`.
   * It ends with the allocation.
   * @param vectors interrupt vectors of every peer, 1 to 64; the device's must be the same.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, SIZE_NOT_POWER_OF_TWO, KIND_NOT_REQUESTED, NOT_MAPPABLE, PUBLISHED,
   *   ALREADY_SERVED, TOO_MANY_FILES, INVALID_ARGUMENT.
   */
  async serveIvshmem(ref: Ref, { vectors = 1 }: { readonly vectors?: number } = {}): Promise<IvshmemServer> {
    const request = { allocation: checkRef(ref), vectors: checkUint32('vectors', vectors) };
    return present((await this.channel.call('ServeIvshmem', request)).server);
  }

  /** Those of the allocations that the caller may see, oldest first. */
  async listIvshmem(): Promise<IvshmemServer[]> {
    return (await this.channel.call('ListIvshmem', {}, this.timeoutMs)).servers;
  }

  /** Hangs up on everybody who is connected. What is mapped stays mapped. @throws VkmemError NOT_FOUND, NOT_PERMITTED. */
  async stopIvshmem(ref: Ref): Promise<void> {
    await this.channel.call('StopIvshmem', { allocation: checkRef(ref) });
  }
}
