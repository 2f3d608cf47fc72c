/**
 * Identity: the credentials of a peer that the kernel reported when its connection was accepted. Rules match
 * these alone. They are a snapshot: later changes of the process and a reuse of its pid have no effect.
 */
import { type Tenant, tenantOfUid } from './tenant.js';

/** The credentials of a peer, as read when its connection was accepted. */
export interface PeerCredentials {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** The systemd unit of the process; undefined if it was in no unit, or the unit is unknown (unit.ts). */
  readonly unit?: string | undefined;
  /**
   * Whether its uid is that of an operator (root, or the daemon's user) in another user or pid namespace
   * (namespaces.ts). Such a peer is no operator by its uid alone.
   */
  readonly foreign?: boolean | undefined;
}

export interface Identity extends PeerCredentials {
  /** The tenant that owns the peer's allocations and is charged for them. */
  readonly tenant: Tenant;
}

/** The identity of a peer with these credentials. This is the only place that chooses the tenant. */
export const makeIdentity = (seen: PeerCredentials): Identity => ({ ...seen, tenant: tenantOfUid(seen.uid) });

/** Whether the group is the peer's own or one of its supplementary groups. */
export const inGroup = ({ gid, groups }: PeerCredentials, group: number): boolean =>
  gid === group || groups.includes(group);
