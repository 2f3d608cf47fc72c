/**
 * The semaphores that exist: by id, by name, by session, and in the order of their age. The names are a space of
 * their own, apart from those of allocations.
 *
 * Limits: MAX_OF_SESSION created by one session, MAX_OF_TENANT of one tenant, and MAX_OF_ALL, of which the last
 * quarter is for tenants that have few (limits/shares.ts). Each that can be exported has a lease of an fd.
 */
import { type Decoded, DisposableStack, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../../limits/fd-budget.js';
import { Shares } from '../../limits/shares.js';
import type { Identity } from '../../policy/identity.js';
import { nameKeyOf, parseScopedName, shownNameKey, type Tenant } from '../../policy/tenant.js';
import type { Authority, Purpose } from '../authority.js';
import type { Session } from '../session/session.js';
import { SortedList } from '../sorted-list.js';
import { bySemaphoreAge, Semaphore, type SemaphorePosition } from './semaphore.js';

const MAX_OF_SESSION = 64;
const MAX_OF_TENANT = 1024;
const MAX_OF_ALL = 8192;
/** Fds of a semaphore that can be exported: its driver may have one, and the handle of one that was restored. */
const FDS = 1;
const NOTHING: ReadonlySet<Semaphore> = new Set();

type Ref = Decoded<'SemaphoreRef'>;

export class Semaphores {
  readonly #authority: Authority;
  readonly #fds: FdBudget;
  readonly #byId = new Map<string, Semaphore>();
  readonly #byName = new Map<string, Semaphore | 'pending'>();
  readonly #owned = new Map<Session, Set<Semaphore>>();
  readonly #listed = new SortedList<SemaphorePosition, Semaphore>(bySemaphoreAge);
  readonly #ofSession = new Map<Session, number>();
  readonly #shares = new Shares(() => MAX_OF_ALL);

  constructor(authority: Authority, fds: FdBudget) {
    this.#authority = authority;
    this.#fds = fds;
  }

  get size(): number {
    return this.#byId.size;
  }

  get all(): Semaphore[] {
    return this.#listed.toArray();
  }

  get last(): Semaphore | undefined {
    return this.#listed.last;
  }

  /** At most `max` semaphores, oldest first, after a position; from the first if none. */
  after(position: SemaphorePosition | undefined, max: number): Semaphore[] {
    return this.#listed.after(position, max);
  }

  byId(id: string): Semaphore | undefined {
    return this.#byId.get(id);
  }

  /** The semaphores that end with the session. */
  ownedBy(session: Session): ReadonlySet<Semaphore> {
    return this.#owned.get(session) ?? NOTHING;
  }

  /**
   * Takes the places of one more semaphore, until the result is disposed.
   * @param exported whether it can be exported.
   * @throws VkmemError QUOTA_EXCEEDED, TOO_MANY_FILES.
   */
  take(tenant: Tenant, session: Session | undefined, exported: boolean): Disposable {
    const own = session ? (this.#ofSession.get(session) ?? 0) : 0;
    if (own >= MAX_OF_SESSION) throw exceeded('session', `The session has created ${own}`, own);
    const ofTenant = this.#shares.of(tenant);
    if (ofTenant >= MAX_OF_TENANT) throw exceeded('user', `Tenant ${tenant.name} has ${ofTenant}`, ofTenant);
    const place = this.#shares.take(tenant, 1);
    if (place === 'user') {
      throw exceeded('user', `Tenant ${tenant.name} has its fair share`, this.#shares.maxOf(tenant));
    }
    if (place === 'daemon') throw exceeded('daemon', `There are ${MAX_OF_ALL}`, MAX_OF_ALL);
    using undo = new DisposableStack();
    undo.use(place);
    if (exported) undo.use(this.#fds.lease(tenant, FDS));
    this.#countOfSession(undo, session);
    return undo.move();
  }

  /** Counts a semaphore that outlived a restart of the daemon, even above every limit. */
  count(tenant: Tenant, session: Session | undefined): Disposable {
    const counted = new DisposableStack();
    counted.use(this.#shares.count(tenant, 1));
    counted.use(this.#fds.count(tenant, FDS));
    this.#countOfSession(counted, session);
    return counted;
  }

  #countOfSession(counted: DisposableStack, session: Session | undefined): void {
    if (!session) return;
    const change = (by: 1 | -1) => {
      const sum = (this.#ofSession.get(session) ?? 0) + by;
      if (sum > 0) this.#ofSession.set(session, sum);
      else this.#ofSession.delete(session);
    };
    change(1);
    counted.defer(() => change(-1));
  }

  /** Reserves a name for a request, which then releases it, or adds the semaphore. @throws VkmemError NAME_TAKEN. */
  reserveName(key: string): void {
    if (this.#byName.has(key)) {
      const name = shownNameKey(key);
      throw new VkmemError('NAME_TAKEN', `The name is ${name}, of a semaphore.`, { name });
    }
    this.#byName.set(key, 'pending');
  }

  releaseName(key: string): void {
    this.#byName.delete(key);
  }

  add(semaphore: Semaphore): void {
    this.#byId.set(semaphore.id, semaphore);
    this.#listed.add(semaphore);
    if (semaphore.nameKey) this.#byName.set(semaphore.nameKey, semaphore);
    const { owner } = semaphore.terms;
    if (owner) this.#owned.set(owner, (this.#owned.get(owner) ?? new Set()).add(semaphore));
  }

  /** It can no longer be found. @returns whether it could until now. */
  remove(semaphore: Semaphore): boolean {
    if (!this.#byId.delete(semaphore.id)) return false;
    this.#listed.remove(semaphore);
    if (semaphore.nameKey) this.#byName.delete(semaphore.nameKey);
    const { owner } = semaphore.terms;
    const owned = owner && this.#owned.get(owner);
    owned?.delete(semaphore);
    if (owner && owned?.size === 0) this.#owned.delete(owner);
    return true;
  }

  /**
   * The semaphore that a message names, if the caller may do this with it.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED; INVALID_ARGUMENT if the message names none.
   */
  find(ref: Ref | null | undefined, identity: Identity, purpose: Purpose): Semaphore {
    const key = this.#keyOf(ref, identity, purpose);
    const found = this.#byId.get(key) ?? this.#byName.get(key);
    if (!(found instanceof Semaphore)) throw notFound(ref);
    this.#authority.require(identity, purpose, found.terms);
    return found;
  }

  /** An id, or `KEY/NAME`: an id has no slash. */
  #keyOf(ref: Ref | null | undefined, identity: Identity, purpose: Purpose): string {
    if (ref?.id?.includes('/')) throw notFound(ref);
    if (ref?.id) return ref.id;
    if (!ref?.name) {
      const reason = 'The request has neither the id nor the name of a semaphore.';
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'semaphore' });
    }
    if (!ref.name.includes('/')) return nameKeyOf(identity.tenant, ref.name);
    const scoped = parseScopedName(ref.name);
    if (!scoped) throw notFound(ref);
    // Checked before the lookup, so that the answer does not reveal whether another tenant has the name.
    this.#authority.require(identity, purpose, { tenant: scoped.tenant });
    return nameKeyOf(scoped.tenant, scoped.name);
  }
}

function exceeded(whose: 'session' | 'user' | 'daemon', what: string, limit: number): VkmemError {
  const reason = `${what} semaphores, which is the limit.`;
  const next = 'Free semaphores that are not used any more.';
  const metadata = { what: 'semaphores', whose, limit: String(limit) };
  return new VkmemError('QUOTA_EXCEEDED', reason, metadata, undefined, next);
}

const notFound = (ref: Ref | null | undefined): VkmemError =>
  new VkmemError('NOT_FOUND', `No semaphore has the id or name ${ref?.id ?? ref?.name}.`);
