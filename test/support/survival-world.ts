/**
 * The daemon of the property test of survival, with its supervisor and its clients: it asks, kills, waits for the
 * next daemon, settles what was in doubt, resumes sessions, and compares everything with the model.
 */
import { deepStrictEqual, equal, ok } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { type Decoded, type Draft, mapFd, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { ControlWire } from './control-wire.js';
import type { Received } from './handoff-wire.js';
import type { Greeted, SupervisedDaemon } from './supervised-daemon.js';
import { until } from './supervised-daemon.js';
import { type Client, type Kept, type Seen, SurvivalModel, shown } from './survival-model.js';

/** The user whose quota is changed. */
export const QUOTA_UID = 12_345;
/** The user whose limit of tickets tells which policy is in force. */
const POLICY_UID = 12_346;
const OWN_UID = process.getuid?.() ?? 0;
/** The number of policies; the last is faulty. */
export const POLICIES = 3;
const GRPC_UNAVAILABLE = 14;
/** Ends may take a second to be noticed, and the retry of a write 5 s. */
const SETTLED_MS = 20_000;

export const policyText = (number: number): string =>
  number === POLICIES - 1
    ? 'this = is no policy\n'
    : `[[rule]]\nuid = ${POLICY_UID}\nconnect = true\nmax_tickets = ${number + 10}\n`;

/** How a request ended: with its answer, a code that it was refused with, or without an answer. */
export type Outcome<T> = { readonly answer: T } | { readonly code: string } | 'lost';

/** When the daemon is killed. */
export type Death =
  | { readonly afterMs: number }
  /** At the call of this failpoint with this number, from 0. */
  | { readonly point: string; readonly call: number };

export class SurvivalWorld {
  readonly daemon: SupervisedDaemon;
  readonly model = new SurvivalModel();
  readonly log: string[] = [];
  /** The pid of the process that grants are entrusted to. */
  readonly holder: number;
  /** Whether requests are under way while the daemon is killed. */
  dying = false;
  /** Memory that others are copied to, to read them. */
  scratch: Kept | undefined;
  /** The limit of QUOTA_UID by the policy. */
  #limit: number | undefined;
  #control: ControlWire | undefined;
  #full: (() => void) | undefined;
  #lines: string[] = [];

  constructor(daemon: SupervisedDaemon, holder: number) {
    this.daemon = daemon;
    this.holder = holder;
  }

  async begin(): Promise<void> {
    this.#limit = (await this.seen()).limit;
    await this.connect();
  }

  /** The control connection to this daemon. */
  get control(): ControlWire {
    this.#control ??= new ControlWire(this.daemon.runtimeDir);
    return this.#control;
  }

  #disconnect(): void {
    this.#control?.close();
    this.#control = undefined;
  }

  async outcomeOf<T>(request: Promise<T>): Promise<Outcome<T>> {
    try {
      return { answer: await request };
    } catch (failure) {
      if (isLost(failure)) return 'lost';
      if (failure instanceof VkmemError) return { code: failure.code };
      throw failure;
    }
  }

  /** Makes writes fail. 'FULL' fills the file system. */
  fail(how: string, pattern: string): void {
    if (how === 'FULL') this.#full ??= this.daemon.fill();
    else if (how === 'FDS') this.#lines.push(`fds:put ENOBUFS ${pattern}`);
    else this.#lines.push(`ledger:write ${how} ${pattern}`);
    const { model } = this;
    model.allFail ||= how !== 'FULL' && how !== 'FDS' && pattern === '1';
    model.setFailing(model.failing || how !== 'FDS', model.fdsFailing || how === 'FDS');
    this.daemon.setFailpoints(this.#lines);
  }

  succeed(): void {
    this.#full?.();
    this.#full = undefined;
    this.#lines = [];
    this.daemon.setFailpoints([]);
    this.model.allFail = false;
    this.model.setFailing(false, false);
  }

  writePolicy(number: number): void {
    writeFileSync(this.daemon.policy, policyText(number));
    this.model.policyInFile = number === POLICIES - 1 ? undefined : number;
  }

  async open(before?: Client): Promise<Greeted> {
    const { daemon, model } = this;
    if (!before) return daemon.open();
    return daemon.open({ token: before.token, grantIds: model.grantsTo(before).map(({ id }) => id) });
  }

  async connect(): Promise<void> {
    const wire = await this.open();
    const { sessionId: id, sessionToken: token } = wire.welcome;
    const client = { number: this.model.number(), id, token, wire, entrusted: false, ended: false };
    this.model.clients.push({ ...client, doubtful: false });
  }

  /** Kills the daemon while `work` runs, and again while the next ones start. */
  async die(
    death: Death,
    starts: readonly number[],
    asleep: number,
    work: () => Promise<void>,
  ): Promise<void> {
    const { daemon } = this;
    let pid = await until('a daemon', () => daemon.pid);
    if ('point' in death) {
      const pattern = `${'0'.repeat(death.call)}1${'0'.repeat(99)}`;
      this.daemon.setFailpoints([`${death.point} SIGKILL ${pattern}`, ...this.#lines]);
    }
    const working = work();
    if ('afterMs' in death) {
      await pause(death.afterMs);
      kill(pid);
    }
    await working;
    this.daemon.setFailpoints(this.#lines);
    kill(pid);
    for (const afterMs of [...starts, undefined]) {
      pid = await this.#next(pid);
      if (afterMs === undefined) break;
      await pause(afterMs);
      kill(pid);
    }
    await daemon.serving();
    await this.#recover(asleep);
  }

  /** The next daemon's pid, which starts without the supervisor's delay. */
  #next(before: number): Promise<number> {
    let without = 0;
    return until('the next daemon', () => {
      const { pid } = this.daemon;
      if (pid !== undefined && pid !== before) return pid;
      without += pid === undefined ? 1 : 0;
      if (without % 4 === 3) this.daemon.hurry();
      return undefined;
    });
  }

  async #recover(asleep: number): Promise<void> {
    const { model } = this;
    this.#disconnect();
    model.note('restart');
    model.started();
    for (const client of model.clients) client.wire?.close();
    for (const client of model.clients) client.wire = undefined;
    for (const each of model.live) each.degraded = each.published;
    const seen = await this.seen();
    // A doubt may leave another one.
    for (const doubt of [...model.lost.splice(0), ...model.unwritten.splice(0)]) await doubt(seen);
    for (const each of model.live) each.degraded ||= each.published;
    model.policy = model.policyInFile ?? (await this.#lastGood());
    for (const [at, client] of model.sessions.entries()) {
      if (client.entrusted) {
        if (!model.outlives(client)) model.end(client);
        continue;
      }
      const outlives = model.outlives(client);
      if (outlives && !client.doubtful && ((asleep >> (at % 8)) & 1) === 1) continue;
      await this.resume(client, true);
    }
    for (const repeat of model.repeats.splice(0)) await repeat();
    await this.check('after a restart');
    if (!model.failing) await this.verify();
  }

  /** The policy that a daemon serves with while the file is faulty: one that was in force before. */
  async #lastGood(): Promise<number> {
    const policy = await this.#policy();
    ok(policy >= 0 && policy < POLICIES - 1, `a policy that was in force, not ${policy}`);
    return policy;
  }

  async #policy(): Promise<number> {
    const { quota } = await this.control.call('GetQuota', { uid: POLICY_UID });
    return (quota?.tickets?.limit ?? 0) - 10;
  }

  /**
   * Resumes a dormant session. At its start a daemon ends those that have nothing; one that loses what it had
   * later stays.
   * @param starting Whether the daemon has just started.
   */
  async resume(client: Client, starting = false): Promise<void> {
    const { model } = this;
    const wire = await this.open(client);
    const { restored, sessionId, sessionToken } = wire.welcome;
    const expected = !starting || model.outlives(client);
    if (!client.doubtful || expected) equal(restored, expected, `session ${client.id} is restored`);
    if (restored) equal(sessionId, client.id);
    // The end of grants that the client did not list may wait.
    Object.assign(client, { wire, id: sessionId, token: sessionToken, doubtful: model.failing });
  }

  /** Ends a session whose end a kill has undone. */
  async endAgain(client: Pick<Client, 'token'>): Promise<void> {
    const wire = await this.daemon.open({ token: client.token, grantIds: [] });
    ok(wire.welcome.restored, 'a session that is listed is resumed');
    wire.close();
  }

  async seen(): Promise<Seen> {
    const { control } = this;
    const { allocations } = await control.call('ListAllocations', {});
    const { sessions } = await control.call('ListSessions', {});
    const { tickets } = await control.call('ListTickets', {});
    const { quota } = await control.call('GetQuota', { uid: QUOTA_UID });
    const limit = quota?.allocations?.limit;
    return { allocations, sessions, tickets, limit: limit === this.#limit ? undefined : limit };
  }

  /** What the daemon reports, as SurvivalModel.expected() describes it. */
  async #reported() {
    const { allocations, sessions, tickets, limit } = await this.seen();
    const { heaps, counts } = await this.control.budget();
    const { quota: own } = await this.control.call('GetQuota', { uid: OWN_UID });
    const { fds: _, ...counted } = counts;
    const sum = (bytes: readonly bigint[]) => bytes.reduce((all, one) => all + one, 0n);
    return {
      counts: { ...counted },
      bytes: {
        live: sum(heaps.map(({ liveBytes }) => liveBytes)),
        draining: sum(heaps.map(({ drainingBytes }) => drainingBytes)),
      },
      used: {
        allocations: own?.allocations?.used,
        sessions: own?.sessions?.used,
        tickets: own?.tickets?.used,
        bytes: sum(own?.heaps.map(({ usedBytes }) => usedBytes) ?? []),
      },
      allocations: allocations.map(asShown).sort(),
      sessions: sessions.map(({ id, grants }) => `${id}: ${grants}`).sort(),
      tickets: tickets
        .map(({ id, allocationId, usesLeft }) => `${id}: ${usesLeft} of ${allocationId}`)
        .sort(),
      limit,
      policy: await this.#policy(),
    };
  }

  /** Compares the daemon's accounts, lists and stored fds with the model, once the daemon has come to rest. */
  async check(when: string): Promise<void> {
    const expected = this.model.expected();
    const memory = expected.used.allocations;
    const look = async () => ({ ...(await this.#reported()), stored: this.daemon.storedFds.memory });
    let found = await look();
    for (const end = Date.now() + SETTLED_MS; Date.now() < end; found = await look()) {
      if (isDeepStrictEqual(found, { ...expected, stored: memory })) return;
      await pause(10);
    }
    deepStrictEqual(found, { ...expected, stored: memory }, when);
  }

  /** Reads all memory through the daemon: by a new grant, or by a copy. */
  async verify(): Promise<void> {
    const { model } = this;
    const [reader] = model.connected;
    if (!reader?.wire) return;
    for (const each of model.live) {
      if (each.sharing !== 'SHARED') continue;
      if (each.kind === 'MAPPABLE') await this.#readByGrant(reader.wire, each);
      else await this.#readByCopy(reader.wire, each);
    }
    model.written();
  }

  async #readByGrant(wire: Greeted, of: Kept): Promise<void> {
    const claim = {
      allocation: { id: of.id },
      kinds: ['KIND_MAPPABLE'],
      access: 'ACCESS_READ_ONLY',
    } as const;
    const answer = await this.#claimed(wire, claim);
    if (!answer) return;
    const { message, fds } = answer;
    const [fd] = fds;
    ok(fd, 'a grant has an fd');
    equal(wordOf(fd, Number(of.size)), of.pattern, `the bytes of ${of.id} ${of.name}`);
    fd.close();
    await wire.ask({ release: { grantId: message.claim?.grants[0]?.id ?? 0n } });
  }

  /** Undefined if the session has to be stored first, and the fd store, which is made to fail, refuses it. */
  async #claimed(wire: Greeted, claim: Draft<'ClaimRequest'>): Promise<Received | undefined> {
    return wire.ask({ claim }).catch((failure) => {
      if (!this.model.fdsFailing) throw failure;
      return undefined;
    });
  }

  async #readByCopy(wire: Greeted, of: Kept): Promise<void> {
    const { scratch } = this;
    if (!scratch?.live || of.degraded || scratch.degraded) return;
    const sizeBytes = of.size < scratch.size ? of.size : scratch.size;
    const copy = { source: { id: of.id }, destination: { id: scratch.id }, sizeBytes };
    await this.control.call('Transfer', { copy });
    const claim = { allocation: { id: scratch.id }, kinds: ['KIND_MAPPABLE'] } as const;
    const answer = await this.#claimed(wire, claim);
    if (!answer) return;
    const { message, fds } = answer;
    const [fd] = fds;
    ok(fd, 'a grant has an fd');
    equal(wordOf(fd, Number(sizeBytes)), of.pattern, `the bytes of ${of.id} ${of.name}`);
    write(fd, Number(scratch.size), scratch.pattern);
    fd.close();
    await wire.ask({ release: { grantId: message.claim?.grants[0]?.id ?? 0n } });
  }

  /** Ends everything, and asserts that nothing is left. */
  async end(): Promise<void> {
    const { model } = this;
    this.succeed();
    this.writePolicy(0);
    await this.control.call('ReloadPolicy', {});
    model.policy = 0;
    for (const client of model.sessions) {
      if (!client.entrusted && !client.wire) await this.resume(client);
    }
    await this.check('at the end');
    await this.verify();
    if (model.limit !== undefined) await setLimit(this.control, undefined);
    model.limit = undefined;
    for (const { id } of model.live) {
      await this.control.call('FreeAllocation', { allocation: { id } });
    }
    for (const each of model.live) model.free(each);
    const entrusted = model.sessions.filter((each) => each.entrusted);
    const ends = entrusted.length > 0 ? await this.daemon.open() : undefined;
    for (const { id: sessionId } of entrusted) await ends?.ask({ endEntrusted: { sessionId } });
    ends?.close();
    for (const client of model.sessions) {
      client.wire?.close();
      model.end(client);
    }
    await this.check('once all is freed');
    await until('a supervisor without pidfds', () =>
      this.daemon.storedFds.processes === 0 ? true : undefined,
    );
  }

  /** Closes what is open, also after a failure. */
  close(): void {
    this.#disconnect();
    for (const held of this.model.held) held.fd.close();
    for (const { wire } of this.model.clients) wire?.close();
  }
}

/** Sets or resets the limit on allocations of QUOTA_UID. */
export async function setLimit(control: ControlWire, allocations: number | undefined): Promise<void> {
  const { quota } = await control.call('GetQuota', { uid: QUOTA_UID });
  const change = allocations === undefined ? { reset: true } : { allocations };
  const expectedRevision = quota?.revision ?? 0n;
  const { outcome } = await control.call('SetQuota', { uid: QUOTA_UID, expectedRevision, ...change });
  equal(outcome, 'QUOTA_OUTCOME_APPLIED');
}

/** Fills memory with a word. */
export function write(fd: OwnedFd, length: number, word: number): void {
  const mapping = mapFd(fd, { offset: 0n, length, access: 'rw' });
  new Uint32Array(mapping.buffer).fill(word);
  mapping.unmap();
}

/** The word that fills the memory; 'mixed' if the words differ. */
export function wordOf(fd: OwnedFd, length: number): number | 'mixed' {
  const mapping = mapFd(fd, { offset: 0n, length, access: 'ro' });
  const words = new Uint32Array(mapping.buffer);
  const [first = 0] = words;
  const uniform = words.every((word) => word === first);
  mapping.unmap();
  return uniform ? first : 'mixed';
}

function asShown(each: Decoded<'Allocation'>): string {
  const { id, name, sizeBytes: size, published, grants, ownerSessionId: of } = each;
  const state = each.state.replace('ALLOCATION_STATE_', '');
  const owned = each.lifetime === 'LIFETIME_SESSION' && state !== 'DRAINING';
  return shown({ id, name, size, state, published, grants, of: owned ? of : 0n });
}

function isLost(failure: unknown): boolean {
  const { code, message } = failure as { code?: unknown; message?: string };
  return (
    code === GRPC_UNAVAILABLE || code === 'UNAVAILABLE' || message === 'the daemon closed the connection'
  );
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has killed itself.
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
