/**
 * A tenant: who memory is owned by and charged to. Everything that is owned, charged, limited, named or
 * reported is keyed by the tenant's key. Today every tenant is a user, with the key `uid:N`.
 *
 * Compare and index by `key`: two objects may stand for the same tenant.
 */
import type { Decoded } from '@vkmemd/proto';

export interface Tenant {
  /** Unique and stable over restarts. */
  readonly key: string;
  /** The user; undefined for a tenant that is no user. */
  readonly uid: number | undefined;
  /** For people. */
  readonly name: string;
}

/** (uid_t) -1, which the kernel gives to no user: stands on the wire where a tenant is no user. */
const NO_UID = 0xffff_ffff;
/** How many are interned. Any client can name any uid, so the cache is bounded. */
const MAX_INTERNED = 4096;
const KEY = /^uid:(0|[1-9]\d{0,9})$/;
/** `uid:N/name`, and the short form `N/name`. */
const SCOPED_NAME = /^(?:uid:)?(0|[1-9]\d{0,9})\/(.*)$/s;

/** The oldest first. */
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

/** The tenant of a key that was written down; a key of no kind that is known here stands for itself. */
export function tenantOfKey(key: string): Tenant {
  const [, uid] = KEY.exec(key) ?? [];
  return uid === undefined ? { key, uid: undefined, name: key } : tenantOfUid(Number(uid));
}

export const sameTenant = (one: Tenant, other: Tenant): boolean => one.key === other.key;

/** What the wire's uid fields show. */
export const shownUid = ({ uid }: Tenant): number => uid ?? NO_UID;

/** By uid, those that are no users last, by key. */
export function byTenant(one: Tenant, other: Tenant): number {
  if (one.uid !== other.uid) return (one.uid ?? NO_UID) - (other.uid ?? NO_UID);
  return one.key < other.key ? -1 : Number(one.key > other.key);
}

/** The key of a name among the names of all tenants: `KEY/NAME`. */
export const nameKeyOf = ({ key }: Tenant, name: string): string => `${key}/${name}`;

/** A name key as people and clients see it: `UID/NAME` of a user. */
export const shownNameKey = (nameKey: string): string => nameKey.replace(SCOPED_NAME, '$1/$2');

/** What `KEY/NAME` or `UID/NAME` names; undefined for text that is neither. */
export function parseScopedName(
  text: string,
): { readonly tenant: Tenant; readonly name: string } | undefined {
  const [, uid, name] = SCOPED_NAME.exec(text) ?? [];
  return uid === undefined || name === undefined ? undefined : { tenant: tenantOfUid(Number(uid)), name };
}

/** A tenant as the contract describes it. */
export const describeTenant = ({ key, uid, name }: Tenant): Decoded<'Tenant'> => ({
  key,
  ...(uid !== undefined && { uid }),
  name,
});
