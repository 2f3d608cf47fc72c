/**
 * Admission of connections to the control and admin sockets: decides whether there is room for one more,
 * before it is passed to the front.
 *
 * A connection has an fd on its tenant's account, in the front, which has the same limit of files. A tenant
 * has a limited number of control connections; operators are exempt. There are at most MAX_ADMIN connections
 * to the admin sockets, of which the last quarter is for tenants that have few (limits/shares.ts): an operator
 * may have MAX_OF_OPERATOR, another user MAX_OF_OTHER, all TCP connections together MAX_OF_OPERATOR.
 *
 * On a connection above a limit, the first request is answered with the error, and the connection is closed.
 * Only a limited number of connections wait for that at a time. Further ones are closed at once, because no
 * fd is left to send the reason with.
 */
import { asVkmemError, DisposableStack, disposable, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import { Shares } from '../limits/shares.js';
import type { Authority } from '../memory/authority.js';
import type { Identity } from '../policy/identity.js';
import type { Tenant } from '../policy/tenant.js';

const MAX_ADMIN = 64;
const MAX_OF_OPERATOR = 16;
const MAX_OF_OTHER = 4;

/** The socket that a caller connected to. */
export type CallerPlane = 'CONTROL' | 'ADMIN' | 'ADMIN_TCP';

/** The tenant that TCP connections are charged to. */
export const NETWORK: Tenant = { key: 'network', uid: undefined, name: 'network' };

/** An admitted connection. */
export interface Admitted {
  /** Disposed when it has ended. */
  readonly place: Disposable;
  /** The error of all its calls; undefined if the connection is served. */
  readonly refusal: VkmemError | undefined;
}

interface Collaborators {
  readonly authority: Authority;
  readonly fds: FdBudget;
}

export class CallerAdmission {
  readonly #with: Collaborators;
  readonly #control = new Shares(() => Number.POSITIVE_INFINITY);
  readonly #admin = new Shares(() => MAX_ADMIN);
  readonly #refused = { control: 0, admin: 0 };

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /** @returns undefined if the connection must be closed at once. */
  admit(plane: CallerPlane, identity: Identity | undefined): Admitted | undefined {
    const tenant = identity?.tenant ?? NETWORK;
    const socket = plane === 'CONTROL' ? 'control' : 'admin';
    try {
      using undo = new DisposableStack();
      undo.use(
        socket === 'control' ? this.#takeControl(tenant, identity) : this.#takeAdmin(tenant, identity),
      );
      undo.use(this.#with.fds.lease(tenant, 1));
      return { place: undo.move(), refusal: undefined };
    } catch (failure) {
      const { refusals } = this.#with.fds;
      // The control socket uses the reserve of fds for refusals too.
      const max = socket === 'control' ? refusals : Math.max(1, Math.floor(refusals / 2));
      if (this.#refused[socket] >= max) return undefined;
      this.#refused[socket] += 1;
      const place = disposable(() => {
        this.#refused[socket] -= 1;
      });
      return { place, refusal: asVkmemError(failure) };
    }
  }

  #takeControl(tenant: Tenant, identity: Identity | undefined): Disposable {
    const { authority } = this.#with;
    const max = authority.policy.limits.controlConnectionsOfUser;
    const connections = this.#control.of(tenant);
    if (connections >= max && !(identity && authority.isOperator(identity))) {
      const reason = `The tenant has ${connections} of at most ${max} control connections.`;
      throw new VkmemError('TOO_MANY_SESSIONS', reason, { limit: String(max), whose: 'user' });
    }
    return this.#control.count(tenant, 1);
  }

  #takeAdmin(tenant: Tenant, identity: Identity | undefined): Disposable {
    const { authority } = this.#with;
    const max = identity && !authority.isOperator(identity) ? MAX_OF_OTHER : MAX_OF_OPERATOR;
    const share = this.#admin.of(tenant) < max ? this.#admin.take(tenant, 1) : 'user';
    if (typeof share !== 'string') return share;
    const limit = share === 'user' ? Math.min(max, this.#admin.maxOf(tenant)) : MAX_ADMIN;
    const whose = share === 'user' ? `Tenant ${tenant.name}` : 'The admin plane';
    const reason = `${whose} has reached its limit of ${limit} admin connections.`;
    throw new VkmemError('TOO_MANY_SESSIONS', reason, { limit: String(limit), whose: share });
  }
}
