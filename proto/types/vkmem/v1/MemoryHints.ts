// Original file: proto/vkmem/v1/memory.proto

import type { Long } from '@grpc/proto-loader';

/**
 * What virtual machines need of memory. All but the first two are for MAPPABLE memory over a memfd.
 */
export interface MemoryHints {
  /**
   * size_bytes is rounded up to a power of two, as that of a PCI BAR must be.
   */
  'powerOfTwo'?: (boolean);
  /**
   * size_bytes is rounded up to a multiple of it, and the memory begins at a multiple of it in its fd. A power of two, at
   * most 1 GiB; 0 for whole pages.
   */
  'alignmentBytes'?: (number | string | Long);
  /**
   * Every page is there when the request is answered.
   */
  'prefault'?: (boolean);
  /**
   * The pages are huge pages of so many bytes (MFD_HUGETLB), which the host must have set aside; size_bytes is rounded up
   * to whole ones. 0 for the system's own pages.
   */
  'hugePageBytes'?: (number | string | Long);
  /**
   * Whoever has an fd of it can open it anew through /proc, for writing too, as QEMU's memory-backend-file does: what was
   * granted read-only is so by its holder's word alone then.
   */
  'reopenable'?: (boolean);
}

/**
 * What virtual machines need of memory. All but the first two are for MAPPABLE memory over a memfd.
 */
export interface MemoryHints__Output {
  /**
   * size_bytes is rounded up to a power of two, as that of a PCI BAR must be.
   */
  'powerOfTwo': (boolean);
  /**
   * size_bytes is rounded up to a multiple of it, and the memory begins at a multiple of it in its fd. A power of two, at
   * most 1 GiB; 0 for whole pages.
   */
  'alignmentBytes': (Long);
  /**
   * Every page is there when the request is answered.
   */
  'prefault': (boolean);
  /**
   * The pages are huge pages of so many bytes (MFD_HUGETLB), which the host must have set aside; size_bytes is rounded up
   * to whole ones. 0 for the system's own pages.
   */
  'hugePageBytes': (Long);
  /**
   * Whoever has an fd of it can open it anew through /proc, for writing too, as QEMU's memory-backend-file does: what was
   * granted read-only is so by its holder's word alone then.
   */
  'reopenable': (boolean);
}
