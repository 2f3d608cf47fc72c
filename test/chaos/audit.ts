/**
 * Audits: the daemon's own counts, compared with the kernel's.
 *
 * All clients pause for a moment, and both are queried until two answers of the daemon are equal with the
 * kernel's in between; so they belong to one moment. Then
 *   - the heaps' accounts contain exactly the bytes of the allocations;
 *   - each MAPPABLE allocation is one memfd of that size among the daemon's fds, and there is no other memfd;
 *   - each user's quota has the bytes, allocations and tickets of that user, and reservations are available
 *     to it;
 *   - every fd of the core is one that it had while idle, a memfd, a handoff connection's socket or pidfd, or
 *   the
 *     pidfd of a process that held a write lock when its connection ended; control connections are the
 *   front's.
 *
 * For the clients, the kernel reports whether processes of two users have the same memfd: memory must not be
 * shared between users.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type ControlClient, connectControl } from '@vkmemd/client';
import { CONTROL_SOCKET, HANDOFF_SOCKET, VkmemError } from '@vkmemd/proto';
import { frontOf } from '../front/support.js';
import { type Account, type Beginning, disagreements } from './account.js';
import { Breach } from './behaviour.js';
import type { ChaosDaemon } from './daemon.js';
import { acceptedAt, filesOf, memoryFilesOf, memoryHeldBy, type OpenFile, processes } from './proc.js';
import { rest } from './rest.js';
import { mayShare } from './tenants.js';

/** The time limit for finding such a moment. */
const MAX_MS = 6000;

/** A client process, and its user. */
export interface Outsider {
  readonly pid: number;
  readonly uid: number;
}

export class Auditor {
  readonly control: ControlClient;
  readonly #daemon: ChaosDaemon;
  #begin: Beginning = { sockets: 0, pidfds: 0, others: 0 };

  private constructor(daemon: ChaosDaemon) {
    this.#daemon = daemon;
    this.control = connectControl({ runtimeDir: daemon.runtimeDir, timeoutMs: 20_000, reconnectMs: 20_000 });
  }

  /** Records the resources of a daemon that only the auditor uses. */
  static async begin(daemon: ChaosDaemon): Promise<Auditor> {
    const auditor = new Auditor(daemon);
    await auditor.control.budget();
    const account = await auditor.#look();
    const sockets = account.sockets - account.handoff;
    const { pidfds, others } = account;
    auditor.#begin = { sockets, pidfds, others };
    return auditor;
  }

  /** @throws Breach if the daemon does not answer. */
  async #ask(): Promise<Pick<Account, 'budget' | 'allocations' | 'quotas' | 'tickets'>> {
    try {
      const { control } = this;
      return {
        budget: await control.budget(),
        allocations: await control.list(),
        quotas: await control.policy.listQuotas(),
        tickets: (await control.listTickets()).length,
      };
    } catch (failure) {
      throw failure instanceof VkmemError
        ? new Breach(`an operator was refused: ${failure.message}`)
        : failure;
    }
  }

  async #look(): Promise<Account> {
    const { pid, runtimeDir } = this.#daemon;
    const asked = await this.#ask();
    const files = filesOf(pid);
    const count = (pattern: RegExp) => files.filter(({ link }) => pattern.test(link)).length;
    const accepted = (name: string, by: readonly OpenFile[]) => {
      const inodes = new Set(by.map(({ link }) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
      return [...acceptedAt(join(runtimeDir, name))].filter((inode) => inodes.has(inode)).length;
    };
    const front = frontOf(this.#daemon);
    const memory = memoryFilesOf(pid);
    const [sockets, pidfds] = [count(/^socket:/), count(/pidfd/)];
    return {
      ...asked,
      memory,
      sockets,
      pidfds,
      others: files.length - sockets - pidfds - count(/^\/memfd:/),
      handoff: accepted(HANDOFF_SOCKET, files),
      control: front === undefined ? 0 : accepted(CONTROL_SOCKET, filesOf(front)),
    };
  }

  /** The account of one moment; undefined if none was found in time. */
  async account(): Promise<Account | undefined> {
    let before = await this.#look();
    for (const end = Date.now() + MAX_MS; Date.now() < end; ) {
      await rest(20);
      const after = await this.#look();
      if (isDeepStrictEqual(before, after)) return after;
      before = after;
    }
    return undefined;
  }

  /** @returns the inconsistencies. */
  check(account: Account): string[] {
    return disagreements(account, this.#begin);
  }

  /** @returns what is left, where nothing may be left. */
  nothing(account: Account): string[] {
    const { counts } = account.budget;
    const left = Object.entries(counts).filter(([, count]) => count !== 0);
    const texts = left.map(([what, count]) => `${count} ${what}`);
    if (account.handoff > 0) texts.push(`${account.handoff} handoff connections`);
    if (account.tickets > 0) texts.push(`${account.tickets} tickets`);
    for (const { uid, sessions } of account.quotas) {
      if (sessions?.used) texts.push(`${sessions.used} sessions on the quota of user ${uid}`);
    }
    const pidfds = account.pidfds - this.#begin.pidfds;
    if (pidfds > 0) texts.push(`${pidfds} pidfds`);
    // One is the auditor's own.
    if (account.control > 1) texts.push(`${account.control - 1} control connections`);
    return [...texts, ...this.check(account)];
  }

  async close(): Promise<void> {
    await this.control.close();
  }
}

/**
 * Memfds that processes of two users have open or mapped although the policy does not let them share, as
 * text. The clients need not pause for that.
 */
export function sharedMemory(outsiders: readonly Outsider[]): string[] {
  const holders = new Map<bigint, Set<number>>();
  const all = [...processes()];
  for (const { pid, uid } of outsiders) {
    const started = all.filter(([, { parent }]) => parent === pid).map(([child]) => child);
    for (const inode of [pid, ...started].flatMap((holder) => [...memoryHeldBy(holder)])) {
      holders.set(inode, (holders.get(inode) ?? new Set()).add(uid));
    }
  }
  const denied = (uids: Set<number>) => [...uids].some((one) => [...uids].some((two) => !mayShare(one, two)));
  const shared = [...holders].filter(([, uids]) => denied(uids));
  return shared.map(([inode, uids]) => `memfd ${inode} is held by users ${[...uids].join(' and ')}`);
}
