/**
 * What the addon does with memory: memfds, seals, mappings, CPU access to dma-bufs. Fds are numbers, borrowed for the call;
 * a failure of the kernel's is thrown as a KernelError.
 */
export interface NativeMemoryCalls {
  /** @param hugePage bytes of one; 0n for the system's own pages. */
  createMemfd(
    name: string,
    size: bigint,
    seals: number,
    mode: number,
    hugePage: bigint,
    populate: boolean,
  ): Promise<number>;
  heldElsewhere(fd: number): boolean | undefined;
  readSeals(fd: number): number;
  addSeals(fd: number, seals: number): void;
  /** Adds to the eventfd, when it is done: 1, or 1 + errno. */
  sealLater(fd: number, seals: number, eventFd: number): void;
  mapFd(fd: number, offset: bigint, length: number, writable: boolean): ArrayBuffer;
  /** Bytes of each of the file's huge pages; 0n where it has the system's own. */
  hugePageOf(fd: number): bigint;
  detach(buffer: ArrayBuffer): boolean;
  /** DMA_BUF_IOCTL_SYNC: begins CPU access, or ends it; it reads always, and writes too if `writing`. */
  syncDmaBuf(fd: number, end: boolean, writing: boolean): void;
}
