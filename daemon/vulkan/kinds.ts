/**
 * Kinds, and how far each is known to work on a device.
 *
 * A kind is a way to hand memory out. A rung is a claim with its evidence: UNSUPPORTED (with the reason),
 * SUPPORTED (the driver says so) or VERIFIED (bytes were really moved at start, see probe.ts). `via` names the
 * way it works, in the driver's words; it is empty when the kind does not work.
 */
import { type KindName, VkmemError } from '@vkmemd/proto';

export type Rung = 'UNSUPPORTED' | 'SUPPORTED' | 'VERIFIED';

/** What is known about one kind on one device. */
export interface KindReport {
  readonly rung: Rung;
  /** The mechanism, such as `memfd+VK_EXT_external_memory_host`; '' when UNSUPPORTED. */
  readonly via: string;
  /** Why it does not work, or why it is not VERIFIED; '' when there is nothing to add. */
  readonly reason: string;
}

export function unsupported(reason: string): KindReport {
  return { rung: 'UNSUPPORTED', via: '', reason };
}

export function supported(via: string, reason: string): KindReport {
  return { rung: 'SUPPORTED', via, reason };
}

export function verified(via: string): KindReport {
  return { rung: 'VERIFIED', via, reason: '' };
}

/**
 * Refuses sets of kinds that one allocation cannot have, before any memory type is looked for.
 *
 * `together` is the report on MAPPABLE and OPAQUE_FD on the same memory.
 * @throws VkmemError KIND_NOT_REQUESTED (none asked for), KINDS_EXCLUSIVE, KIND_UNSUPPORTED with the reason.
 */
export function requireKinds(
  kinds: readonly KindName[],
  reports: ReadonlyMap<KindName, KindReport>,
  together: KindReport,
): void {
  if (kinds.length === 0) {
    throw new VkmemError('KIND_NOT_REQUESTED', 'No kind was asked for.');
  }
  // RDMA-capable memory types are never host-visible (VK_NV_external_memory_rdma).
  if (kinds.includes('MAPPABLE') && kinds.includes('RDMA_ADDRESS')) {
    throw new VkmemError('KINDS_EXCLUSIVE', 'MAPPABLE and RDMA_ADDRESS need different memory types.');
  }
  for (const kind of kinds) {
    const report = reports.get(kind) ?? unsupported('unknown kind.');
    if (report.rung === 'UNSUPPORTED') {
      throw new VkmemError('KIND_UNSUPPORTED', `${kind}: ${report.reason}`, { kind });
    }
  }
  if (kinds.includes('MAPPABLE') && kinds.includes('OPAQUE_FD') && together.rung === 'UNSUPPORTED') {
    throw new VkmemError('KIND_UNSUPPORTED', `MAPPABLE with OPAQUE_FD: ${together.reason}`, {
      kind: 'MAPPABLE,OPAQUE_FD',
    });
  }
}
