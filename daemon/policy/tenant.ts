/**
 * A tenant: the owner of memory, who is charged for it. Ownership, charges, limits, names and reports are
 * keyed by the tenant's key. Currently every tenant is a user, with the key `uid:N`.
 *
 * Compare and index tenants by `key`: two objects may represent the same tenant.
 */
import type { Decoded } from '@vkmemd/proto';

export interface Tenant {
  /** Unique, and stable across restarts. */
  readonly key: string;
  /** The user; undefined for a tenant that is not a user. */
  readonly uid: number | undefined;
  /** For display. */
  readonly name: string;
}

/** (uid_t) -1, which is never the id of a user: the value on the wire for a tenant that is not a user. */
const NO_UID = 0xffff_ffff;
/** Maximum number of interned tenants. Clients can name any uid, so the cache must be bounded. */
const MAX_INTERNED = 4096;
const KEY = /^uid:(0|[1-9]\d{0,9})$/;
/** `uid:N/name`, and the short form `N/name`. */
const SCOPED_NAME = /^(?:uid:)?(0|[1-9]\d{0,9})\/(.*)$/s;

/** Interned tenants, oldest first. */
const interned = new Map<number, Tenant>();

/** The tenant of a user. */
export function tenantOfUid(uid: number): Tenant {
  const known = interned.get(uid);
  if (known) return known;
  const tenant = { key: `uid:${uid}`, uid, name: String(uid) };
  for (const oldest of interned.keys()) {
    if (interned.size < MAX_INTERNED) break;
    interned.delete(oldest);
  }
  interned.set(uid, tenant);
  return tenant;
}

/**
 * The tenant of a stored key. A key of an unknown form becomes a tenant that is not a user, with the key as
 * name.
 */
export function tenantOfKey(key: string): Tenant {
  const [, uid] = KEY.exec(key) ?? [];
  return uid === undefined ? { key, uid: undefined, name: key } : tenantOfUid(Number(uid));
}

export const sameTenant = (one: Tenant, other: Tenant): boolean => one.key === other.key;

/** The value of the wire's uid fields. */
export const shownUid = ({ uid }: Tenant): number => uid ?? NO_UID;

/** The position of a tenant in a list. */
export type TenantPosition = Pick<Tenant, 'uid' | 'key'>;

/** Orders tenants by uid; those that are not users come last, ordered by key. */
export function byTenant(one: TenantPosition, other: TenantPosition): number {
  if (one.uid !== other.uid) return (one.uid ?? NO_UID) - (other.uid ?? NO_UID);
  return one.key < other.key ? -1 : Number(one.key > other.key);
}

/** The key of a name among the names of all tenants: `KEY/NAME`. */
export const nameKeyOf = ({ key }: Tenant, name: string): string => `${key}/${name}`;

/** A name key as shown to users and clients: `UID/NAME` for a user's name. */
export const shownNameKey = (nameKey: string): string => nameKey.replace(SCOPED_NAME, '$1/$2');

/** The tenant and the name in `uid:UID/NAME` or `UID/NAME`; undefined for any other text. */
export function parseScopedName(
  text: string,
): { readonly tenant: Tenant; readonly name: string } | undefined {
  const [, uid, name] = SCOPED_NAME.exec(text) ?? [];
  return uid === undefined || name === undefined ? undefined : { tenant: tenantOfUid(Number(uid)), name };
}

/** A tenant as a message of the contract. */
export const describeTenant = ({ key, uid, name }: Tenant): Decoded<'Tenant'> => ({
  key,
  ...(uid !== undefined && { uid }),
  name,
});
