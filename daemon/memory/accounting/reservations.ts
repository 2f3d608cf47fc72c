/**
 * Reservations: how many bytes of a heap are reserved for which tenant.
 *
 * Unless the policy permits overcommit, all reservations of a heap together never exceed the heap's size.
 * What an operator reserves with SetQuota, and what rules reserve for users by their uid alone, is checked
 * when it is set, whether these users are connected or not. What other rules (by group or unit) reserve is
 * known only once a matching process connects. It then counts as far as the heap has unreserved bytes, first
 * come, first served. With overcommit every tenant is assigned its whole reservation, and can use it as far
 * as bytes remain.
 *
 * A reservation applies from the moment it is set, and revokes nothing: bytes that other tenants hold at that
 * time are reserved for the tenant once they free them.
 *
 * Limits: the number of tenants with reservations must be small, since each request for memory iterates over
 * them.
 */
import { isDeepStrictEqual } from 'node:util';
import { humanBytes } from '@vkmemd/proto';
import { Findings, PolicyError } from '../../policy/findings.js';
import type { Policy } from '../../policy/policy.js';
import type { Tenant } from '../../policy/tenant.js';
import { namedTenants } from './default-rights.js';
import { type Ledger, usedBytes } from './ledger.js';
import { reservedOn, type Terms } from './terms.js';

/**
 * The bytes that one tenant demands of one heap: by SetQuota, by rules for its uid alone, and by other rules.
 * They are assigned in this order.
 */
export type Demand = readonly [set: bigint, named: bigint, matched: bigint];

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const isNothing = (demands: readonly Demand[]): boolean =>
  demands.every((demand) => demand.every((bytes) => bytes === 0n));

const NEXT = 'Reserve less, or raise max_bytes of a user above its reservation, or set overcommit = true.';

/**
 * Checks that this device has the bytes that the policy reserves for users by their uid alone.
 * @throws PolicyError if a user's reservation exceeds its limit, or if all reservations of a heap exceed its
 *   size and the policy does not permit overcommit; with the place of each reserving rule.
 */
export function requireReservable(policy: Policy, heaps: readonly { readonly size: bigint }[]): void {
  const findings = new Findings();
  const sizes = heaps.map(({ size }) => size);
  const named = [...namedTenants(policy, sizes).values()];
  for (const [heap, size] of sizes.entries()) {
    const reserving = named.flatMap(({ tenant, terms, at }) => {
      const bytes = terms.reserved[heap] ?? 0n;
      const what = `reserved_bytes: user ${tenant.name} reserves ${humanBytes(bytes)} of heap ${heap}`;
      return bytes > 0n ? [{ bytes, limit: terms.limits[heap], what, at }] : [];
    });
    const sum = reserving.reduce((all, { bytes }) => all + bytes, 0n);
    for (const { bytes, limit, what, at } of reserving) {
      if (typeof limit === 'bigint' && bytes > limit) {
        findings.fault(at, `${what}; its limit is ${humanBytes(limit)}.`);
      } else if (sum > size && !policy.overcommit) {
        const all = `all users together ${humanBytes(sum)}`;
        findings.fault(at, `${what}, ${all}; the heap has ${humanBytes(size)}, and overcommit is off.`);
      }
    }
  }
  if (findings.faults.length === 0) return;
  findings.sort(policy.files);
  throw new PolicyError(findings, NEXT);
}

interface Demander {
  readonly tenant: Tenant;
  readonly demands: readonly Demand[];
}

/** Bytes reserved for one tenant, on each heap. */
interface Given {
  readonly tenant: Tenant;
  readonly bytes: bigint[];
}

export class Reservations {
  readonly #sizes: readonly bigint[];
  readonly #ledger: Ledger;
  /** By the tenant's key, in the order of their first demand. */
  readonly #demands = new Map<string, Demander>();
  #given: ReadonlyMap<string, Given> = new Map();
  #overcommit = false;

  /** @param sizes of the heaps, in bytes. */
  constructor(sizes: readonly bigint[], ledger: Ledger) {
    this.#sizes = sizes;
    this.#ledger = ledger;
  }

  /** Whether reservations may exceed the heap's size. */
  set overcommit(allowed: boolean) {
    this.#overcommit = allowed;
    this.#given = this.#give(this.#demands);
  }

  /** Sets the demands of a tenant, one for each heap; a tenant that demands nothing has no reservation. */
  demand(tenant: Tenant, demands: readonly Demand[]): void {
    const before = this.#demands.get(tenant.key)?.demands;
    const nothing = isNothing(demands);
    if (nothing ? !before : isDeepStrictEqual(before, demands)) return;
    if (nothing) this.#demands.delete(tenant.key);
    else this.#demands.set(tenant.key, { tenant, demands });
    this.#given = this.#give(this.#demands);
  }

  /** Bytes reserved for a tenant, used or not. */
  of({ key }: Tenant, heap: number): bigint {
    return this.#given.get(key)?.bytes[heap] ?? 0n;
  }

  /** Bytes that would be reserved for a tenant with these demands. Changes nothing. */
  ifDemanded(tenant: Tenant, demands: readonly Demand[], heap: number): bigint {
    return this.#givenIf(tenant, demands).get(tenant.key)?.bytes[heap] ?? 0n;
  }

  /**
   * The unused reserved bytes of the tenant, and of all tenants, if the tenant had these demands. Changes
   * nothing.
   */
  unusedIfDemanded(
    tenant: Tenant,
    demands: readonly Demand[],
    heap: number,
  ): { readonly own: bigint; readonly all: bigint } {
    const given = this.#givenIf(tenant, demands);
    let all = 0n;
    for (const each of given.values()) all += this.#unused(each, heap);
    const own = given.get(tenant.key);
    return { own: own ? this.#unused(own, heap) : 0n, all };
  }

  #givenIf(tenant: Tenant, demands: readonly Demand[]): ReadonlyMap<string, Given> {
    const known = this.#demands.get(tenant.key)?.demands;
    if (isNothing(demands) ? !known : isDeepStrictEqual(known, demands)) return this.#given;
    const demanders = new Map(this.#demands);
    if (isNothing(demands)) demanders.delete(tenant.key);
    else demanders.set(tenant.key, { tenant, demands });
    return this.#give(demanders);
  }

  /** Bytes reserved for other tenants. */
  ofOthers({ key }: Tenant, heap: number): bigint {
    let sum = 0n;
    for (const [other, { bytes }] of this.#given) if (other !== key) sum += bytes[heap] ?? 0n;
    return sum;
  }

  #unused({ tenant, bytes }: Given, heap: number): bigint {
    const unused = (bytes[heap] ?? 0n) - usedBytes(this.#ledger.tenant(tenant, heap));
    return unused < 0n ? 0n : unused;
  }

  /** The unused bytes of all reservations. */
  unused(heap: number): bigint {
    let sum = 0n;
    for (const given of this.#given.values()) sum += this.#unused(given, heap);
    return sum;
  }

  #give(demanders: ReadonlyMap<string, Demander>): ReadonlyMap<string, Given> {
    const given = new Map<string, Given>();
    for (const [key, { tenant }] of demanders) given.set(key, { tenant, bytes: this.#sizes.map(() => 0n) });
    for (const [heap, size] of this.#sizes.entries()) {
      let left = size;
      for (const rank of [0, 1, 2] as const) {
        for (const [key, { demands }] of demanders) {
          const claimed = demands[heap]?.[rank] ?? 0n;
          const bytes = this.#overcommit ? claimed : least(claimed, left);
          left -= bytes;
          const before = given.get(key)?.bytes;
          if (before) before[heap] = (before[heap] ?? 0n) + bytes;
        }
      }
    }
    return given;
  }
}

/**
 * The demand of a tenant on one heap.
 * @param set whether SetQuota changed the reservation.
 * @param named what rules by its uid alone give it.
 */
export function demandOn(terms: Terms, heap: number, set: boolean, named: Terms | undefined): Demand {
  const reserved = reservedOn(terms, heap);
  if (set) return [reserved, 0n, 0n];
  const firm = least(reserved, named ? reservedOn(named, heap) : 0n);
  return [0n, firm, reserved - firm];
}
