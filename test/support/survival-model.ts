/**
 * The model of the property test of survival (test/store/survival.test.ts): the answers that the clients of a
 * daemon got, and so what holds after it was killed.
 *
 * What was answered holds. What was refused changed nothing. A request that a kill left without an answer took
 * place or did not: its doubt looks at the next daemon and settles which, for everything at once. The end of a
 * grant or of a session is answered although its record waits for the file system (docs/survival.md): until a
 * later record is written, it is in doubt too, and a kill may undo it.
 */
import type { Decoded, OwnedFd } from '@vkmemd/proto';
import type { Greeted } from './supervised-daemon.js';

const PAGE = 4096;

/** A session: of a connection, or entrusted to a process. */
export interface Client {
  readonly number: number;
  id: bigint;
  token: string;
  /** Undefined while it is dormant, and of one that is entrusted. */
  wire: Greeted | undefined;
  readonly entrusted: boolean;
  ended: boolean;
  /** Whether the next daemon may have grants of it that the client does not have, or may not restore it. */
  doubtful: boolean;
}

export interface Kept {
  readonly number: number;
  id: string;
  readonly name: string;
  readonly kind: 'MAPPABLE' | 'OPAQUE_FD';
  readonly sharing: 'SHARED' | 'ONE_WRITER' | 'EXCLUSIVE';
  readonly publishable: boolean;
  readonly size: bigint;
  /** The session whose end frees it; undefined for NAMED. */
  readonly owner: Client | undefined;
  /** The session that made it with a request id. */
  readonly maker: Client | undefined;
  readonly requestId: string;
  /** Every 32-bit word of it. */
  pattern: number;
  live: boolean;
  published: boolean;
  /** Whether the device does not have it: it was published before the last start. */
  degraded: boolean;
}

export interface Held {
  readonly id: bigint;
  readonly of: Kept;
  readonly access: 'RW' | 'RO';
  holder: Client;
  readonly fd: OwnedFd;
}

export interface ModelTicket {
  readonly id: string;
  /** Unknown if its answer was lost. */
  readonly secret: string | undefined;
  readonly of: Kept;
  usesLeft: number;
}

/** What the next daemon reports before any session is resumed. */
export interface Seen {
  readonly allocations: readonly Decoded<'Allocation'>[];
  readonly sessions: readonly Decoded<'SessionInfo'>[];
  readonly tickets: readonly Decoded<'Ticket'>[];
  /** The limit on allocations that SetQuota may have changed. */
  readonly limit: number | undefined;
}

/** Settles what was in doubt, by what the next daemon reports. */
export type Doubt = (seen: Seen) => void | Promise<void>;

export class SurvivalModel {
  readonly clients: Client[] = [];
  readonly kept: Kept[] = [];
  readonly held = new Set<Held>();
  readonly tickets = new Set<ModelTicket>();
  /** The limit on allocations of one user, by SetQuota. */
  limit: number | undefined;
  /** The number of the policy in force, and of the one in the file, which is undefined while that is faulty. */
  policy = 0;
  policyInFile: number | undefined = 0;
  /** Whether writes to the ledger, or into the fd store, may fail at the moment. */
  failing = false;
  fdsFailing = false;
  /** Whether every write to the ledger fails. */
  allFail = false;
  /** Whether a write may have failed since the last one that succeeded, so that the next ones wait. */
  #failed = false;
  /** Of requests without an answer. */
  readonly lost: Doubt[] = [];
  /** Of ends whose records may wait. */
  readonly unwritten: Doubt[] = [];
  /** Requests that are repeated after a restart. */
  readonly repeats: (() => Promise<void>)[] = [];
  /** How often each kind of thing happened. */
  readonly happened = new Map<string, number>();
  #next = 0;

  note(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }

  number(): number {
    return this.#next++;
  }

  /** A size that no other allocation of the sequence has. */
  size(number: number): bigint {
    return BigInt(PAGE * (number + 1));
  }

  /** Begins, or ends, that writes fail. */
  setFailing(ledger: boolean, fds: boolean): void {
    this.failing = ledger;
    this.fdsFailing = fds;
    this.#failed ||= ledger;
  }

  /** A record was written, and with it all that waited. */
  written(): void {
    this.unwritten.length = 0;
    for (const client of this.clients) client.doubtful = false;
    this.#failed = this.failing;
  }

  /** Another daemon has started, and has written all that it knows, unless writes fail. */
  started(): void {
    this.#failed = this.failing;
  }

  /** An end was answered, and its record may wait. @param client Whose grants may be back then. */
  ended(client: Client | undefined, doubt: Doubt = () => {}): void {
    if (!this.#failed) return;
    if (client) client.doubtful = true;
    this.unwritten.push(doubt);
  }

  get connected(): Client[] {
    return this.clients.filter(({ wire, ended }) => wire && !ended);
  }

  get sessions(): Client[] {
    return this.clients.filter(({ ended }) => !ended);
  }

  get live(): Kept[] {
    return this.kept.filter(({ live }) => live);
  }

  /** Freed, but a session has a grant of it. */
  get draining(): Kept[] {
    return this.kept.filter((each) => !each.live && this.grantsOf(each).length > 0);
  }

  grantsOf(of: Kept): Held[] {
    return [...this.held].filter((held) => held.of === of);
  }

  grantsTo(client: Client): Held[] {
    return [...this.held].filter(({ holder }) => holder === client);
  }

  ticketsOf(of: Kept): ModelTicket[] {
    return [...this.tickets].filter((ticket) => ticket.of === of);
  }

  byName(name: string): Kept | undefined {
    return name === '' ? undefined : this.live.find((each) => each.name === name);
  }

  /** Whether the session has something to be restored for. */
  outlives(client: Client): boolean {
    return (
      this.grantsTo(client).length > 0 ||
      this.live.some(({ owner, maker }) => owner === client || maker === client)
    );
  }

  /** A grant has ended, and the client has closed its fd. */
  drop(held: Held): void {
    held.fd.close();
    this.held.delete(held);
  }

  /** An allocation has ended. */
  free(of: Kept): void {
    of.live = false;
    for (const ticket of this.ticketsOf(of)) this.tickets.delete(ticket);
  }

  /** A session has ended. */
  end(client: Client): void {
    client.ended = true;
    client.wire = undefined;
    for (const held of this.grantsTo(client)) this.drop(held);
    for (const each of this.live) if (each.owner === client) this.free(each);
  }

  /** What the daemon must report when it is at rest. */
  expected() {
    const [live, draining] = [this.live, this.draining];
    const sum = (all: readonly Kept[]) => all.reduce((bytes, { size }) => bytes + size, 0n);
    const sessions = this.sessions;
    return {
      counts: {
        sessions: sessions.length,
        allocations: live.length,
        drainingAllocations: draining.length,
        grants: this.held.size,
        // Degraded memory has none.
        deviceMemories: live.filter(({ degraded }) => !degraded).length,
        semaphores: 0,
      },
      bytes: { live: sum(live), draining: sum(draining) },
      used: {
        allocations: live.length + draining.length,
        sessions: sessions.length,
        tickets: this.tickets.size,
        bytes: sum(live) + sum(draining),
      },
      allocations: [
        ...live.map((each) => this.#shown(each, each.degraded ? 'DEGRADED' : 'LIVE')),
        ...draining.map((each) => this.#shown(each, 'DRAINING')),
      ].sort(),
      sessions: sessions.map((each) => `${each.id}: ${this.grantsTo(each).length}`).sort(),
      tickets: [...this.tickets].map(({ id, of, usesLeft }) => `${id}: ${usesLeft} of ${of.id}`).sort(),
      limit: this.limit,
      policy: this.policy,
    };
  }

  #shown(each: Kept, state: string): string {
    const grants = this.grantsOf(each).length;
    const of = each.live && each.owner ? each.owner.id : 0n;
    return shown({ ...each, state, grants, of });
  }
}

/** An allocation in a line, as the model and the daemon describe it. */
export const shown = (of: {
  readonly id: string;
  readonly name: string;
  readonly size: bigint;
  readonly state: string;
  readonly published: boolean;
  readonly grants: number;
  readonly of: bigint;
}): string =>
  [of.id, of.name, of.size, of.state, of.published ? 'published' : '', `${of.grants} grants`, of.of].join(
    ' ',
  );
