/**
 * Authority: whether a caller may do what it asks for, by what the kernel said of it and by the policy of now.
 *
 * An allocation belongs to a user. The same user may see, claim, copy and free it; operators may do so with every
 * allocation; others may see it, or claim it, where the policy says so. A reload holds from the next request on: what
 * was granted before stays granted.
 */
import { type AccessName, type KindName, type LifetimeName, VkmemError } from '@vkmemd/proto';
import type { Identity } from '../policy/identity.js';
import type { Policy, Thresholds } from '../policy/policy.js';
import type { Rights } from '../policy/rights.js';

/** What somebody wants of an allocation: to see it, to be granted it, or to do anything with it. */
export type Purpose = 'see' | { readonly claim: AccessName } | 'use';

/** Whose an allocation is, and of what lifetime; without that, one that has a name. */
export interface Owned {
  readonly ownerUid: number;
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

  /** When a heap is under pressure, by the policy of the moment in which it is asked. */
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

  /** From now on another policy holds. */
  replace(policy: Policy): void {
    this.#policy = policy;
    this.#known = new WeakMap();
    for (const listener of this.#listeners) listener(policy);
  }

  /** Whoever keeps something by the policy is told when another one holds. It must not throw. */
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

  /** Whether the caller may do that with an allocation. Whom policy lets claim, it lets claim what was named, and see that. */
  may(identity: Identity, purpose: Purpose, { ownerUid, lifetime = 'NAMED' }: Owned): boolean {
    const rights = this.rightsOf(identity);
    if (identity.uid === ownerUid || rights.operator) return true;
    if (purpose === 'use') return false;
    const claims = lifetime === 'NAMED' && rights.claimFrom.has(ownerUid);
    if (purpose === 'see') return rights.seeOthers || claims;
    return claims && (purpose.claim === 'ro' || rights.claimAccess === 'rw');
  }

  /** @throws VkmemError NOT_PERMITTED where may() says no. */
  require(identity: Identity, purpose: Purpose, owned: Owned): void {
    if (this.may(identity, purpose, owned)) return;
    throw new VkmemError(
      'NOT_PERMITTED',
      `It belongs to user ${owned.ownerUid}, the caller is user ${identity.uid}.`,
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
   * A software driver keeps data of its own at the start of the memory behind an OPAQUE_FD and believes it when the
   * memory is freed: whoever can write there can end the daemon. There only operators hand such fds over or get one. The
   * same of huge pages, which whoever can write can take out of a memfd: a driver that touches one then ends.
   * @param what they would have. @throws VkmemError NOT_PERMITTED.
   */
  requireTrust(deviceType: string, identity: Identity, what = 'an OPAQUE_FD'): void {
    if (deviceType !== 'cpu' || this.isOperator(identity)) return;
    const kind = what === 'an OPAQUE_FD' ? { kind: 'OPAQUE_FD' } : {};
    throw new VkmemError('NOT_PERMITTED', `On a software device ${what} is for operators only.`, kind);
  }
}

/**
 * Whether the kernel keeps a holder with a read-only fd from opening the memfd again for writing: its mode is 0600,
 * so only the daemon's own user and root can, whatever the policy says. Of one that was made reopenable it keeps nobody.
 * Capabilities that a process of another user has, or gets after it has connected, are not looked at: docs/sharing.md. What
 * is published needs none of this (publish.ts).
 */
export function readOnlyIsEnforced({ uid }: Identity): boolean {
  return uid !== 0 && uid !== daemonUid;
}
