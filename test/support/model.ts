/**
 * The model of the daemon that random sequences are checked against, and the daemon's side beside it.
 *
 * For each allocation the model records its owner, its lifetime, one number that fills it, and the sessions
 * that have a grant. It predicts how each operation ends: served, or refused with a code.
 */
import { deepStrictEqual } from 'node:assert/strict';
import { type Decoded, type Draft, mapFd, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { ControlWire } from './control-wire.js';
import { NOTHING } from './daemon.js';
import { HandoffWire } from './handoff-wire.js';

/** The size of every allocation, in bytes. */
export const SIZE = 8192;

export interface ModelAllocation {
  readonly key: number;
  readonly kind: 'MAPPABLE' | 'OPAQUE_FD';
  /** The session whose end frees it; undefined for NAMED. */
  readonly owner: number | undefined;
  name: string | undefined;
  pattern: number;
  live: boolean;
  /** Grant -> its session. */
  readonly grants: Map<number, number>;
}

export class Model {
  readonly sessions = new Set<number>();
  readonly allocations: ModelAllocation[] = [];
  /** The names of the operations that took place. */
  readonly performed: string[] = [];
  nextSession = 0;
  nextGrant = 0;

  /**
   * The counts that GetBudget must report. A session's held fds are grants; a freed allocation drains while
   * it has grants.
   */
  counts() {
    const live = this.allocations.filter((allocation) => allocation.live);
    const draining = this.allocations.filter(({ live, grants }) => !live && grants.size > 0);
    const all = [...live, ...draining];
    return {
      ...NOTHING,
      sessions: this.sessions.size,
      allocations: live.length,
      drainingAllocations: draining.length,
      grants: all.reduce((sum, { grants }) => sum + grants.size, 0),
      fds: all.filter(({ kind }) => kind === 'MAPPABLE').length,
      deviceMemories: live.length,
      semaphores: 0,
    };
  }

  byName(name: string): ModelAllocation | undefined {
    return this.allocations.find((allocation) => allocation.live && allocation.name === name);
  }
}

interface HeldGrant {
  readonly id: bigint;
  readonly fd: OwnedFd;
  readonly grant: Decoded<'Grant'>;
}

/** The daemon's side of a sequence: its sessions, the ids of its allocations, the held grants. */
export class Real {
  readonly control: ControlWire;
  readonly wires = new Map<number, HandoffWire>();
  readonly ids = new Map<number, string>();
  readonly held = new Map<number, HeldGrant>();

  constructor(runtimeDir: string) {
    this.control = new ControlWire(runtimeDir);
    this.#runtimeDir = runtimeDir;
  }

  readonly #runtimeDir: string;

  async openSession(key: number): Promise<void> {
    this.wires.set(key, await HandoffWire.open(this.#runtimeDir));
  }

  wire(key: number): HandoffWire {
    const wire = this.wires.get(key);
    if (!wire) throw new Error(`no session ${key}`);
    return wire;
  }

  /** Stores the grant of an answer under a key. */
  add(key: number, grant: Decoded<'Grant'> | undefined, fds: OwnedFd[]): void {
    const [fd] = fds;
    if (!grant || !fd || fds.length !== 1) throw new Error('one grant with one fd was expected');
    this.held.set(key, { id: grant.id, fd, grant });
  }

  /** Removes a grant. @returns its id. */
  remove(key: number): bigint {
    const held = this.held.get(key);
    if (!held) throw new Error(`no grant ${key}`);
    held.fd.close();
    this.held.delete(key);
    return held.id;
  }

  /** The 32-bit word that fills the memory of a MAPPABLE grant; 'mixed' where the words differ. */
  read(key: number): number | 'mixed' {
    const held = this.held.get(key);
    if (!held) throw new Error(`no grant ${key}`);
    const mapping = mapFd(held.fd, { offset: held.grant.mapOffsetBytes, length: SIZE, access: 'ro' });
    const words = new Uint32Array(mapping.buffer);
    const [first = 0] = words;
    const uniform = words.every((word) => word === first);
    mapping.unmap();
    return uniform ? first : 'mixed';
  }

  /** Waits until the daemon's counts are as expected; they settle shortly after a session's end. */
  async requireCounts(expected: object): Promise<void> {
    let { counts } = await this.control.budget();
    const differ = () => JSON.stringify({ ...NOTHING, ...counts }) !== JSON.stringify(expected);
    for (const end = Date.now() + 3000; differ() && Date.now() < end; ) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      ({ counts } = await this.control.budget());
    }
    deepStrictEqual({ ...counts }, expected);
  }

  /** Closes everything that the sequence left open, and frees NAMED memory. */
  async end(): Promise<void> {
    for (const { fd } of this.held.values()) fd.close();
    for (const wire of this.wires.values()) wire.close();
    for (const { id } of (await this.control.call('ListAllocations', {})).allocations) {
      await codeOf(this.control.call('FreeAllocation', { allocation: { id } }));
    }
  }

  async requireNothing(): Promise<void> {
    await this.requireCounts(NOTHING);
    this.control.close();
  }
}

/** The code that a request is refused with; undefined where it is served. */
export async function codeOf(request: Promise<unknown>): Promise<string | undefined> {
  try {
    await request;
    return undefined;
  } catch (failure) {
    if (failure instanceof VkmemError) return failure.code;
    throw failure;
  }
}

export type AllocateDraft = Draft<'AllocateRequest'>;
