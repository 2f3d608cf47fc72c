/**
 * A session on the raw wires, as the tests on a GPU use it: allocations with their fds, device fills and
 * copies.
 */
import { type Decoded, type Draft, type Mapping, mapFd, type OwnedFd } from '@vkmemd/proto';
import type { Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { HandoffWire } from '../support/handoff-wire.js';

type Kind = Decoded<'Grant'>['kind'];

/**
 * Memory that the session holds: what was said of it, and one fd for each grant, in the order of the kinds.
 */
export interface Held {
  readonly allocation: Decoded<'Allocation'>;
  readonly grants: readonly Decoded<'Grant'>[];
  readonly fds: readonly OwnedFd[];
}

/** The first grant. */
export function grantOf({ grants }: Held): Decoded<'Grant'> {
  const [grant] = grants;
  if (!grant) throw new Error('nothing was granted');
  return grant;
}

/** The fd of the grant of this kind; still the holder's to close. */
export function fdOf({ grants, fds }: Held, kind: Kind): OwnedFd {
  const fd = fds[grants.findIndex((grant) => grant.kind === kind)];
  if (!fd) throw new Error(`no fd of ${kind}`);
  return fd;
}

/** Maps all of a MAPPABLE grant, and closes its fd: the mapping is what holds the memory from here on. */
export function mapped(held: Held): Mapping {
  const fd = fdOf(held, 'KIND_MAPPABLE');
  const grant = held.grants.find(({ kind }) => kind === 'KIND_MAPPABLE');
  if (!grant) throw new Error('it cannot be mapped');
  const { mapOffsetBytes: offset, mapSizeBytes } = grant;
  const mapping = mapFd(fd, { offset, length: Number(mapSizeBytes), access: 'rw' });
  fd.close();
  return mapping;
}

export class Session {
  readonly control: ControlWire;
  readonly #wire: HandoffWire;

  private constructor(wire: HandoffWire, control: ControlWire) {
    this.#wire = wire;
    this.control = control;
  }

  /** Opens one; it ends with the test, where it was not closed before. */
  static async open(t: Test, runtimeDir: string): Promise<Session> {
    const session = new Session(await HandoffWire.open(runtimeDir), new ControlWire(runtimeDir));
    t.teardown(() => session.close());
    return session;
  }

  /** Allocates, and is granted all of the kinds unless the request says otherwise. Sizes in bytes. */
  async allocate(size: number, kinds: Kind[], more: Draft<'AllocateRequest'> = {}): Promise<Held> {
    const request = { sizeBytes: BigInt(size), kinds, grantKinds: kinds, ...more };
    const { message, fds } = await this.#wire.ask({ allocate: request });
    const { allocation, grants = [] } = message.allocate ?? {};
    if (!allocation) throw new Error('nothing was allocated');
    return { allocation, grants, fds };
  }

  /** Claims a handle of an allocation that exists. */
  async claim(id: string, kinds: Kind[]): Promise<Held> {
    const { message, fds } = await this.#wire.ask({ claim: { allocation: { id }, kinds } });
    const { allocation, grants = [] } = message.claim ?? {};
    if (!allocation) throw new Error('nothing was claimed');
    return { allocation, grants, fds };
  }

  async release({ grants }: Held): Promise<void> {
    for (const { id } of grants) await this.#wire.ask({ release: { grantId: id } });
  }

  /** Gives an allocation up; whether its bytes are free already. */
  async free({ allocation: { id } }: Held): Promise<boolean> {
    const { message } = await this.#wire.ask({ free: { allocation: { id } } });
    return message.free?.freed === true;
  }

  /** The device writes a word all over it. */
  /** What was written through mappings before is seen by importers afterwards. */
  async sync({ allocation: { id } }: Held): Promise<void> {
    await this.control.call('Transfer', { sync: { allocation: { id } } });
  }

  async fill({ allocation: { id } }: Held, pattern: number): Promise<void> {
    await this.control.call('Transfer', { fill: { allocation: { id }, pattern } });
  }

  /** The device copies bytes; without a size, all that the source has. */
  async copy(
    from: Held,
    to: Held,
    { source = 0, destination = 0, size = 0 }: { source?: number; destination?: number; size?: number } = {},
  ): Promise<void> {
    await this.control.call('Transfer', {
      copy: {
        source: { id: from.allocation.id },
        sourceOffsetBytes: BigInt(source),
        destination: { id: to.allocation.id },
        destinationOffsetBytes: BigInt(destination),
        sizeBytes: BigInt(size),
      },
    });
  }

  close(): void {
    this.#wire.close();
    this.control.close();
  }
}
