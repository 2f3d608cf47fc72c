/**
 * Identity: what the kernel said of a peer when its connection was accepted, and all that rules can match. It is a
 * snapshot: whatever the process does later, and whoever gets its pid, changes nothing of it.
 */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** The systemd unit that the process was in; undefined where it was in none, or the kernel could not say surely. */
  readonly unit?: string | undefined;
}

/** Whether the group is among those that the peer had, as its own or as a supplementary one. */
export const inGroup = ({ gid, groups }: Identity, group: number): boolean =>
  gid === group || groups.includes(group);
