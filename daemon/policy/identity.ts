/**
 * Identity: what the kernel reported of a peer when its connection was accepted; rules match nothing else. It
 * is a snapshot, which neither later changes of the process nor a reuse of its pid affect.
 */
import { type Tenant, tenantOfUid } from './tenant.js';

/** What was seen of a peer. */
export interface PeerCredentials {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** The systemd unit of the process; undefined where it was in none, or the unit is not certain. */
  readonly unit?: string | undefined;
}

export interface Identity extends PeerCredentials {
  /** Whom what the peer allocates is owned by and charged to. */
  readonly tenant: Tenant;
}

/** The identity of a peer that was seen so. The one place that decides on the tenant. */
export const makeIdentity = (seen: PeerCredentials): Identity => ({ ...seen, tenant: tenantOfUid(seen.uid) });

/** Whether the group is the peer's own or one of its supplementary groups. */
export const inGroup = ({ gid, groups }: PeerCredentials, group: number): boolean =>
  gid === group || groups.includes(group);
