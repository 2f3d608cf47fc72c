/**
 * Authority: whether a caller may do what it asks for, by what the kernel said of it and by the policy of
 * now.
 *
 * An allocation belongs to a tenant. The same tenant may see, claim, copy and free it; operators may do so
 * with every allocation; other tenants may see it, or claim it, where the policy says so. A reload holds from
 * the next request on: what was granted before stays granted.
 */
import { type AccessName, type KindName, type LifetimeName, VkmemError } from '@vkmemd/proto';
import type { Identity } from '../policy/identity.js';
import type { Policy, Thresholds } from '../policy/policy.js';
import type { Rights } from '../policy/rights.js';
import { sameTenant, type Tenant } from '../policy/tenant.js';

/** What a caller wants of an allocation: to see it, to be granted it, or to do anything with it. */
export type Purpose = 'see' | { readonly claim: AccessName } | 'use';

/** Whose an allocation is, and of what lifetime; without a lifetime, NAMED. */
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

  /** When a heap is under pressure, by the policy in force when it is read. */
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

  /** Puts another policy in force. */
  replace(policy: Policy): void {
    this.#policy = policy;
    this.#known = new WeakMap();
    for (const listener of this.#listeners) listener(policy);
  }

  /** Calls the listener, which must not throw, when another policy is in force. */
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
   * Whether the caller may do that with an allocation. A right to claim covers NAMED allocations, and lets
   * see them.
   */
  may(identity: Identity, purpose: Purpose, { tenant, lifetime = 'NAMED' }: Owned): boolean {
    const rights = this.rightsOf(identity);
    if (identity.tenant.key === tenant.key || rights.operator) return true;
    if (purpose === 'use') return false;
    const claims = lifetime === 'NAMED' && tenant.uid !== undefined && rights.claimFrom.has(tenant.uid);
    if (purpose === 'see') return rights.seeOthers || claims;
    return claims && (purpose.claim === 'ro' || rights.claimAccess === 'rw');
  }

  /** @throws VkmemError NOT_PERMITTED where may() says no. */
  require(identity: Identity, purpose: Purpose, owned: Owned): void {
    if (this.may(identity, purpose, owned)) return;
    throw new VkmemError(
      'NOT_PERMITTED',
      `It belongs to user ${owned.tenant.name}, the caller is user ${identity.tenant.name}.`,
    );
  }

  /** @throws VkmemError NOT_PERMITTED. */
  requireConnect(identity: Identity): void {
    if (this.rightsOf(identity).connect) return;
    throw new VkmemError('NOT_PERMITTED', `The policy does not let user ${identity.uid} connect.`);
  }

  /** @throws VkmemError NOT_PERMITTED unless the caller may change quotas and the policy. */
  requireOperator(identity: Identity): void {
    if (this.isOperator(identity)) return;
    throw new VkmemError('NOT_PERMITTED', `This is for operators; the caller is user ${identity.uid}.`);
  }

  /** @throws VkmemError NOT_PERMITTED where the caller may not see what others have. */
  requireSight(identity: Identity): void {
    const { operator, seeOthers } = this.rightsOf(identity);
    if (operator || seeOthers) return;
    throw new VkmemError('NOT_PERMITTED', `User ${identity.uid} may see no quota but its own.`);
  }

  /** Whether the caller may end a ticket: its maker, and any caller that may use its allocation. */
  mayRevoke(
    identity: Identity,
    ticket: { readonly tenant: Tenant; readonly terms: { readonly allocation: { readonly terms: Owned } } },
  ): boolean {
    return (
      sameTenant(identity.tenant, ticket.tenant) || this.may(identity, 'use', ticket.terms.allocation.terms)
    );
  }

  /** @throws VkmemError NOT_PERMITTED for a kind that the caller may not have. */
  requireKinds(identity: Identity, kinds: readonly KindName[]): void {
    const denied = kinds.find((kind) => !this.rightsOf(identity).kinds.has(kind));
    if (denied === undefined) return;
    const reason = `The policy does not give user ${identity.uid} the kind ${denied}.`;
    throw new VkmemError('NOT_PERMITTED', reason, { kind: denied });
  }

  /** @throws VkmemError NOT_PERMITTED. */
  requireLifetime(identity: Identity, lifetime: LifetimeName): void {
    if (this.rightsOf(identity).lifetimes.has(lifetime)) return;
    const reason = `The policy does not give user ${identity.uid} the lifetime ${lifetime}.`;
    throw new VkmemError('NOT_PERMITTED', reason, { lifetime });
  }

  /** @throws VkmemError NOT_PERMITTED unless the caller may import; operators too must be given that. */
  requireImport(identity: Identity): void {
    if (this.rightsOf(identity).import) return;
    throw new VkmemError(
      'NOT_PERMITTED',
      `User ${identity.uid} may not import memory; a rule of the policy with import = true, or --allow-import, lets it.`,
    );
  }

  /**
   * A software driver keeps data of its own at the start of the memory behind an OPAQUE_FD and trusts it when
   * the memory is freed: a process that can write there can crash the daemon. On such a device only operators
   * import or are granted an OPAQUE_FD. The same holds for huge pages: a process that can write to the memfd
   * can punch holes into it, and a driver that touches one then crashes.
   * @throws VkmemError NOT_PERMITTED on a software device, unless the caller is an operator.
   */
  requireOperatorOnCpu(deviceType: string, identity: Identity, what: 'OPAQUE_FD' | 'HUGE_PAGES'): void {
    if (deviceType !== 'cpu' || this.isOperator(identity)) return;
    if (what === 'HUGE_PAGES') {
      const reason = 'On a software device memory on huge pages is for operators only.';
      throw new VkmemError('NOT_PERMITTED', reason);
    }
    const reason = 'On a software device an OPAQUE_FD is for operators only.';
    throw new VkmemError('NOT_PERMITTED', reason, { kind: 'OPAQUE_FD' });
  }
}

/**
 * Whether the kernel keeps a holder of a read-only fd from opening the memfd again for writing: its mode is
 * 0600, so only the daemon's own user and root can, whatever the policy says. One that was made reopenable
 * anybody can. Capabilities of a process of another user are not looked at: docs/sharing.md. Published memory
 * needs none of this (allocation/publication.ts).
 */
export function readOnlyIsEnforced({ uid }: Identity): boolean {
  return uid !== 0 && uid !== daemonUid;
}
