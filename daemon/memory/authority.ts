/**
 * Authority: decides whether a caller may make a request, from the identity that the kernel reported and the
 * policy in force.
 *
 * An allocation belongs to a tenant. The same tenant may see, claim, copy and free it. Operators may do so
 * with every allocation. Other tenants may see or claim it if the policy permits that. A reload applies from
 * the next request on; existing grants stay.
 */
import { type AccessName, type KindName, type LifetimeName, VkmemError } from '@vkmemd/proto';
import type { Identity } from '../policy/identity.js';
import type { Policy, Thresholds } from '../policy/policy.js';
import type { Rights } from '../policy/rights.js';
import { sameTenant, type Tenant } from '../policy/tenant.js';

/** What a caller wants to do with an allocation: see it, be granted it, or use it in any way. */
export type Purpose = 'see' | { readonly claim: AccessName } | 'use';

/** The tenant that owns an allocation, and its lifetime (default NAMED). */
export interface Owned {
  readonly tenant: Tenant;
  readonly lifetime?: LifetimeName;
}

const daemonUid = process.geteuid?.() ?? -1;

export class Authority {
  #policy: Policy;
  #known = new WeakMap<Identity, Rights>();
  readonly #listeners: ((policy: Policy) => void)[] = [];

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** The thresholds of heap pressure. Each is read from the policy in force when it is accessed. */
  get thresholds(): Thresholds {
    const current = () => this.#policy.pressure;
    return {
      get elevated() {
        return current().elevated;
      },
      get critical() {
        return current().critical;
      },
    };
  }

  replace(policy: Policy): void {
    this.#policy = policy;
    this.#known = new WeakMap();
    for (const listener of this.#listeners) listener(policy);
  }

  /** Calls the listener each time the policy is replaced. The listener must not throw. */
  onReplaced(listener: (policy: Policy) => void): void {
    this.#listeners.push(listener);
  }

  rightsOf(identity: Identity): Rights {
    let rights = this.#known.get(identity);
    if (!rights) {
      rights = this.#policy.rightsOf(identity);
      this.#known.set(identity, rights);
    }
    return rights;
  }

  isOperator(identity: Identity): boolean {
    return this.rightsOf(identity).operator;
  }

  /**
   * Whether the caller may do this with an allocation. A right to claim covers NAMED allocations, and
   * includes the right to see them.
   */
  may(identity: Identity, purpose: Purpose, { tenant, lifetime = 'NAMED' }: Owned): boolean {
    const rights = this.rightsOf(identity);
    if (identity.tenant.key === tenant.key || rights.operator) return true;
    if (purpose === 'use') return false;
    const claims = lifetime === 'NAMED' && tenant.uid !== undefined && rights.claimFrom.has(tenant.uid);
    if (purpose === 'see') return rights.seeOthers || claims;
    return claims && (purpose.claim === 'ro' || rights.claimAccess === 'rw');
  }

  /** @throws VkmemError NOT_PERMITTED if may() is false. */
  require(identity: Identity, purpose: Purpose, owned: Owned): void {
    if (this.may(identity, purpose, owned)) return;
    const reason = `It belongs to tenant ${owned.tenant.name}; the caller is tenant ${identity.tenant.name}.`;
    const readOnly = typeof purpose === 'object' && this.may(identity, { claim: 'ro' }, owned);
    if (!readOnly) throw new VkmemError('NOT_PERMITTED', reason);
    throw new VkmemError(
      'NOT_PERMITTED',
      `${reason} The policy permits this caller read-only access to it.`,
      { access: 'ro' },
      undefined,
      'Claim it read-only (access: \'ro\'), or ask the operator for claim_access = "rw" in the policy.',
    );
  }

  /** @throws VkmemError NOT_PERMITTED. */
  requireConnect(identity: Identity): void {
    if (this.rightsOf(identity).connect) return;
    throw notGranted(`The policy does not permit user ${identity.uid} to connect.`);
  }

  /** @throws VkmemError NOT_PERMITTED unless the caller may change quotas and the policy. */
  requireOperator(identity: Identity): void {
    if (this.isOperator(identity)) return;
    throw notGranted(`Only operators may do this; user ${identity.uid} is not an operator.`);
  }

  /** @throws VkmemError NOT_PERMITTED unless the caller may see the quotas of other tenants. */
  requireSight(identity: Identity): void {
    const { operator, seeOthers } = this.rightsOf(identity);
    if (operator || seeOthers) return;
    throw notGranted(`User ${identity.uid} may see only its own quota.`);
  }

  /** Whether the caller may revoke a ticket: its maker may, and any caller that may use its allocation. */
  mayRevoke(
    identity: Identity,
    ticket: { readonly tenant: Tenant; readonly terms: { readonly subject: { readonly terms: Owned } } },
  ): boolean {
    return (
      sameTenant(identity.tenant, ticket.tenant) || this.may(identity, 'use', ticket.terms.subject.terms)
    );
  }

  /** @throws VkmemError NOT_PERMITTED for a kind that the policy does not grant the caller. */
  requireKinds(identity: Identity, kinds: readonly KindName[]): void {
    const denied = kinds.find((kind) => !this.rightsOf(identity).kinds.has(kind));
    if (denied === undefined) return;
    const reason = `The policy does not grant user ${identity.uid} the kind ${denied}.`;
    throw notGranted(reason, { kind: denied });
  }

  /** @throws VkmemError NOT_PERMITTED. */
  requireLifetime(identity: Identity, lifetime: LifetimeName): void {
    if (this.rightsOf(identity).lifetimes.has(lifetime)) return;
    const reason = `The policy does not grant user ${identity.uid} the lifetime ${lifetime}.`;
    throw notGranted(reason, { lifetime });
  }

  /** @throws VkmemError NOT_PERMITTED unless the caller may import. Operators need that right too. */
  requireImport(identity: Identity): void {
    if (this.rightsOf(identity).import) return;
    throw notGranted(
      `The policy does not permit user ${identity.uid} to import memory (import = true, or --allow-import).`,
    );
  }

  /**
   * A software driver stores its own data at the start of the memory behind an OPAQUE_FD, and trusts that
   * data when the memory is freed: a process that can write there can crash the daemon. So on a software
   * device only operators may import an OPAQUE_FD or be granted one. The same applies to huge pages: a
   * process that can write to the memfd can punch holes into it, and a driver that touches a hole crashes.
   * @throws VkmemError NOT_PERMITTED on a software device, unless the caller is an operator.
   */
  requireOperatorOnCpu(deviceType: string, identity: Identity, what: 'OPAQUE_FD' | 'HUGE_PAGES'): void {
    if (deviceType !== 'cpu' || this.isOperator(identity)) return;
    if (what === 'HUGE_PAGES') {
      const reason = 'On a software device only operators may use memory on huge pages.';
      throw notGranted(reason);
    }
    const reason = 'On a software device only operators may use an OPAQUE_FD.';
    throw notGranted(reason, { kind: 'OPAQUE_FD' });
  }
}

/** NOT_PERMITTED for a right that only the policy grants, not an owner of memory. */
function notGranted(reason: string, metadata: Record<string, string> = {}): VkmemError {
  const next = 'Ask the operator to permit it in the policy.';
  return new VkmemError('NOT_PERMITTED', reason, metadata, undefined, next);
}

/**
 * Whether the kernel prevents this user's processes from reopening a read-only memfd for writing. The memfd's
 * mode is 0600, so only the daemon's own user and root can reopen it, whatever the policy permits. Any
 * process can reopen a memfd that was allocated as reopenable. Capabilities of processes of other users are
 * not considered; see docs/sharing.md. Published memory does not depend on this (allocation/publication.ts).
 */
export function readOnlyIsEnforced({ uid }: Identity): boolean {
  return uid !== 0 && uid !== daemonUid;
}
