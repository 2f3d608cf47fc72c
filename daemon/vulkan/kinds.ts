/**
 * Kinds, and their rung on a device.
 *
 * A kind is a way to hand memory out. Its rung is how far it is known to work: UNSUPPORTED (with the reason,
 * and what is missing), SUPPORTED (the driver reports it) or VERIFIED (the probes moved bytes when the device
 * was opened, see probe/; the reason contains the details). `via` names the mechanism by its extensions; it
 * is empty if the kind is UNSUPPORTED.
 */
import { type KindName, VkmemError } from '@vkmemd/proto';

export type Rung = 'UNSUPPORTED' | 'SUPPORTED' | 'VERIFIED';

/**
 * What an UNSUPPORTED kind lacks: the driver's extension, a feature of it, a memory type, or the external
 * memory feature to export or import. `works`: the driver reports support, but the probe failed.
 */
export type Missing = 'extension' | 'feature' | 'type' | 'export' | 'works';

/** The state of one kind on one device. */
export interface KindReport {
  readonly rung: Rung;
  /** The mechanism, such as `memfd+VK_EXT_external_memory_host`; '' when UNSUPPORTED. */
  readonly via: string;
  /** Why it is UNSUPPORTED, why it is not VERIFIED, or how it was verified. */
  readonly reason: string;
  /** '' unless UNSUPPORTED. */
  readonly missing: Missing | '';
}

/** The reason why something is unsupported. */
export interface Refusal {
  readonly missing: Missing;
  readonly reason: string;
}

export function unsupported(reason: string, missing: Missing = 'works'): KindReport {
  return { rung: 'UNSUPPORTED', via: '', reason, missing };
}

export function refused({ missing, reason }: Refusal): KindReport {
  return unsupported(reason, missing);
}

export function supported(via: string, reason: string): KindReport {
  return { rung: 'SUPPORTED', via, reason, missing: '' };
}

export function verified(via: string, how: string): KindReport {
  return { rung: 'VERIFIED', via, reason: how, missing: '' };
}

/**
 * Refuses sets of kinds that one allocation cannot have, before a memory type is chosen.
 * @param together The report on MAPPABLE and OPAQUE_FD on the same memory.
 * @throws VkmemError KIND_NOT_REQUESTED without any kind, KINDS_EXCLUSIVE, KIND_UNSUPPORTED with the reason.
 */
export function requireKinds(
  kinds: readonly KindName[],
  reports: ReadonlyMap<KindName, KindReport>,
  together: KindReport,
): void {
  if (kinds.length === 0) {
    throw new VkmemError('KIND_NOT_REQUESTED', 'No kind was requested.');
  }
  // RDMA-capable memory types are never host-visible (VK_NV_external_memory_rdma).
  if (kinds.includes('MAPPABLE') && kinds.includes('RDMA_ADDRESS')) {
    throw new VkmemError('KINDS_EXCLUSIVE', 'MAPPABLE and RDMA_ADDRESS need different memory types.');
  }
  for (const kind of kinds) {
    requireSupported(kind, reports.get(kind) ?? unsupported('unknown kind.'));
  }
  if (kinds.includes('MAPPABLE') && kinds.includes('OPAQUE_FD')) {
    requireSupported('MAPPABLE with OPAQUE_FD', together);
  }
}

function requireSupported(what: string, report: KindReport): void {
  if (report.rung !== 'UNSUPPORTED') return;
  throw kindUnsupported(what, report.reason, report.missing);
}

/** The refusal of a kind, or of a combination of kinds. Its metadata contain what is missing. */
export function kindUnsupported(what: string, reason: string, missing: Missing | '' = ''): VkmemError {
  const particulars = missing === '' ? { kind: what } : { kind: what, missing };
  return new VkmemError('KIND_UNSUPPORTED', `${what}: ${reason}`, particulars);
}

/**
 * Refuses `publishable` for memory that cannot be published: MAPPABLE memory must be a memfd, which can be sealed.
 * Memory of OPAQUE_FD alone has no seals; there the daemon itself grants no write access any more.
 * @param mappableBy What MAPPABLE memory can be on this device.
 * @throws VkmemError NOT_PUBLISHABLE.
 */
export function requirePublishable(kinds: readonly KindName[], mappableBy: readonly string[]): void {
  if (kinds.includes('MAPPABLE') && mappableBy.includes('memfd')) return;
  if (kinds.every((kind) => kind === 'OPAQUE_FD')) return;
  const reason = kinds.includes('MAPPABLE')
    ? `On this device MAPPABLE memory is a ${mappableBy.join(' or ')}, which cannot be sealed.`
    : `Only MAPPABLE memory, or OPAQUE_FD alone, can be published; requested: ${kinds.join(', ')}.`;
  throw new VkmemError('NOT_PUBLISHABLE', reason);
}
