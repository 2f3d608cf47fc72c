// Original file: proto/vkmem/v1/memory.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Requirements of virtual machines on memory. All but the first two are for MAPPABLE memory over a memfd.
 */
export interface MemoryHints {
  /**
   * size_bytes is rounded up to a power of two, as that of a PCI BAR must be.
   */
  'powerOfTwo'?: (boolean);
  /**
   * size_bytes is rounded up to a multiple of it, and the memory begins at a multiple of it in its fd. A
   * power of two, at most 1 GiB; 0 for whole pages.
   */
  'alignmentBytes'?: (number | string | Long);
  /**
   * Every page is in memory when the request is answered.
   */
  'prefault'?: (boolean);
  /**
   * The pages are huge pages of so many bytes (MFD_HUGETLB), which the host must have reserved; size_bytes is
   * rounded up to whole huge pages. 0 for pages of the system's own size.
   */
  'hugePageBytes'?: (number | string | Long);
  /**
   * Every holder of an fd can reopen the memory through /proc, for writing too, as QEMU's memory-backend-file
   * does: a read-only grant is then advisory.
   */
  'reopenable'?: (boolean);
}

/**
 * Requirements of virtual machines on memory. All but the first two are for MAPPABLE memory over a memfd.
 */
export interface MemoryHints__Output {
  /**
   * size_bytes is rounded up to a power of two, as that of a PCI BAR must be.
   */
  'powerOfTwo': (boolean);
  /**
   * size_bytes is rounded up to a multiple of it, and the memory begins at a multiple of it in its fd. A
   * power of two, at most 1 GiB; 0 for whole pages.
   */
  'alignmentBytes': (Long);
  /**
   * Every page is in memory when the request is answered.
   */
  'prefault': (boolean);
  /**
   * The pages are huge pages of so many bytes (MFD_HUGETLB), which the host must have reserved; size_bytes is
   * rounded up to whole huge pages. 0 for pages of the system's own size.
   */
  'hugePageBytes': (Long);
  /**
   * Every holder of an fd can reopen the memory through /proc, for writing too, as QEMU's memory-backend-file
   * does: a read-only grant is then advisory.
   */
  'reopenable': (boolean);
}
