/**
 * The stage: the resources of an attacker for one action.
 *
 * Everything that is opened through the stage is closed when the action ends, unless it is left: then it
 * stays for a while, beside later actions, like the forgotten connections of a client. If there are too many,
 * the oldest are closed first.
 */
import { join } from 'node:path';
import {
  CONTROL_SOCKET,
  type Decoded,
  type Draft,
  errorOf,
  HANDOFF_SOCKET,
  mapFd,
  type OwnedFd,
  VkmemError,
} from '@vkmemd/proto';
import { ControlWire } from '../support/control-wire.js';
import { HandoffWire, type Received } from '../support/handoff-wire.js';
import { Breach } from './behaviour.js';

const MAX_LEFT = 24;

/** The secrets of a victim, as a process knows them that has read too much. */
export interface Prey {
  readonly pid: number;
  readonly uid: number;
  /** Of a NAMED allocation. */
  readonly name: string;
  readonly id: string;
  readonly token: string;
  readonly grantId: string;
  /** For the victim only. */
  readonly ticket: string;
  readonly ticketId: string;
  /** A ticket for any user, which was revoked. */
  readonly revoked: string;
}

/** The environment of attackers. */
export interface Scene {
  readonly runtimeDir: string;
  readonly daemonPid: number;
  readonly prey: readonly Prey[];
}

/** A resource that can be closed, more than once. */
interface Closable {
  close(): void;
}

/** A connection that has sent Hello. */
export type Greeted = HandoffWire & { welcome: Decoded<'Welcome'> };

/** Resources that were left, until they are closed. */
export class Leftovers {
  readonly #timers = new Map<Closable, NodeJS.Timeout>();

  add(thing: Closable, forMs: number): void {
    const timer = setTimeout(() => this.#close(thing), forMs);
    this.#timers.set(thing, timer.unref());
    const [oldest] = this.#timers.keys();
    if (this.#timers.size > MAX_LEFT && oldest) this.#close(oldest);
  }

  #close(thing: Closable): void {
    clearTimeout(this.#timers.get(thing));
    this.#timers.delete(thing);
    thing.close();
  }
}

export class Stage {
  readonly runtimeDir: string;
  readonly daemonPid: number;
  readonly prey: readonly Prey[];
  readonly #leftovers: Leftovers;
  readonly #open = new Set<Closable>();

  constructor({ runtimeDir, daemonPid, prey }: Scene, leftovers: Leftovers) {
    this.runtimeDir = runtimeDir;
    this.daemonPid = daemonPid;
    this.prey = prey;
    this.#leftovers = leftovers;
  }

  get handoffSocket(): string {
    return join(this.runtimeDir, HANDOFF_SOCKET);
  }

  get controlSocket(): string {
    return join(this.runtimeDir, CONTROL_SOCKET);
  }

  /** Closed with the action. */
  keep<T extends Closable>(thing: T): T {
    this.#open.add(thing);
    return thing;
  }

  /** Closed now. */
  drop(thing: Closable): void {
    this.#open.delete(thing);
    thing.close();
  }

  /** Closed some time later. */
  leave(thing: Closable, forMs: number): void {
    this.#open.delete(thing);
    this.#leftovers.add(thing, forMs);
  }

  /** A connection that has sent nothing yet. */
  connect(): HandoffWire {
    return this.keep(new HandoffWire(this.runtimeDir));
  }

  /** A connection that has sent Hello. */
  async greet(): Promise<Greeted> {
    return this.keep(await HandoffWire.open(this.runtimeDir));
  }

  /** @param token of a session, its own or not. */
  control(token?: string): ControlWire {
    const wire =
      token === undefined ? new ControlWire(this.runtimeDir) : ControlWire.withToken(this.runtimeDir, token);
    return this.keep(wire);
  }

  end(): void {
    for (const thing of this.#open) thing.close();
    this.#open.clear();
  }
}

/** An answer's fds, their grants, and the allocation. The receiver owns the fds. */
export interface Granted {
  readonly id: string;
  readonly size: number;
  readonly grants: readonly Decoded<'Grant'>[];
  readonly fds: readonly OwnedFd[];
}

export function grantedOf({ message, fds }: Received): Granted {
  const answer = message.allocate ?? message.claim ?? message.import;
  if (!answer?.allocation) throw new Breach(`a ${message.body} was received in place of memory`);
  const { allocation, grants } = answer;
  return { id: allocation.id, size: Number(allocation.sizeBytes), grants, fds };
}

/** Its own memory, granted at once, which must read as zero: it must not contain other users' bytes. */
export async function allocateOwn(
  stage: Stage,
  wire: HandoffWire,
  pages: number,
  more: Draft<'AllocateRequest'> = {},
): Promise<Granted> {
  const kinds = ['KIND_MAPPABLE'] as const;
  const request = { sizeBytes: BigInt(pages) * 4096n, kinds, grantKinds: kinds, ...more };
  const granted = grantedOf(await wire.ask({ allocate: request }));
  for (const fd of granted.fds) stage.keep(fd);
  const [fd] = granted.fds;
  if (granted.grants[0]?.kind === 'KIND_MAPPABLE' && fd) {
    const mapping = mapFd(fd, { offset: 0n, length: granted.size, access: 'ro' });
    const bytes = Buffer.from(mapping.buffer);
    const found = bytes.findIndex((byte) => byte !== 0);
    mapping.unmap();
    if (found >= 0) throw new Breach(`new memory is not zero at byte ${found}`);
  }
  return granted;
}

export function closeAnswer({ fds }: Received): void {
  for (const fd of fds) fd.close();
}

/**
 * The outcome of a failed request in a word: the code of a refusal, or that the daemon closed the connection.
 * @throws Breach if the daemon failed unexpectedly; the failure if it is the harness's own.
 */
export function wordFor(failure: unknown): string {
  if (failure instanceof VkmemError) {
    if (failure.code === 'INTERNAL') throw new Breach(`answered with INTERNAL: ${failure.reason}`);
    return failure.code;
  }
  if (failure instanceof Error && failure.message === 'the daemon closed the connection')
    return 'connection closed';
  // A connection that either side closed during a call.
  const { code, details } = failure as { code?: unknown; details?: unknown };
  if (typeof code === 'number' && typeof details === 'string') return `gRPC status ${code}`;
  throw failure;
}

/** The code of the daemon's next message, or 'served'. Its fds are closed. */
export async function wordOf(wire: HandoffWire): Promise<string> {
  return refusalOf(
    wire.next().then((received) => {
      closeAnswer(received);
      if (received.message.error) throw errorOf(received.message.error);
      return {};
    }),
  );
}

/** The code that a request is refused with; 'served' if it is not. The fds of its answer are closed. */
export async function refusalOf(request: Promise<Received | object>): Promise<string> {
  try {
    const answer = await request;
    if ('fds' in answer) for (const fd of answer.fds as OwnedFd[]) fd.close();
    return 'served';
  } catch (failure) {
    return wordFor(failure);
  }
}
