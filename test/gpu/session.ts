/**
 * A session on the raw wires, for the tests on a GPU: allocations with their fds, device fills and copies.
 */
import { type Decoded, type Draft, type Mapping, mapFd, type OwnedFd } from '@vkmemd/proto';
import type { Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { HandoffWire } from '../support/handoff-wire.js';

type Kind = Decoded<'Grant'>['kind'];

/** Memory that the session holds: its description, and one fd for each grant, in the order of the kinds. */
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

/** The fd of the grant of this kind; the holder still owns it. */
export function fdOf({ grants, fds }: Held, kind: Kind): OwnedFd {
  const fd = fds[grants.findIndex((grant) => grant.kind === kind)];
  if (!fd) throw new Error(`no fd of ${kind}`);
  return fd;
}

/** Maps all of a MAPPABLE grant, and closes its fd: the mapping holds the memory from then on. */
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

  /** Opens a session; it ends with the test at the latest. */
  static async open(t: Test, runtimeDir: string): Promise<Session> {
    const session = new Session(await HandoffWire.open(runtimeDir), new ControlWire(runtimeDir));
    t.teardown(() => session.close());
    return session;
  }

  /** Allocates with grants of all kinds unless the request names others. Sizes in bytes. */
  async allocate(size: number, kinds: Kind[], more: Draft<'AllocateRequest'> = {}): Promise<Held> {
    const request = { sizeBytes: BigInt(size), kinds, grantKinds: kinds, ...more };
    const { message, fds } = await this.#wire.ask({ allocate: request });
    const { allocation, grants = [] } = message.allocate ?? {};
    if (!allocation) throw new Error('nothing was allocated');
    return { allocation, grants, fds };
  }

  /** Claims a handle of an existing allocation. */
  async claim(id: string, kinds: Kind[]): Promise<Held> {
    const { message, fds } = await this.#wire.ask({ claim: { allocation: { id }, kinds } });
    const { allocation, grants = [] } = message.claim ?? {};
    if (!allocation) throw new Error('nothing was claimed');
    return { allocation, grants, fds };
  }

  async release({ grants }: Held): Promise<void> {
    for (const { id } of grants) await this.#wire.ask({ release: { grantId: id } });
  }

  /** Frees an allocation. Resolves to whether its bytes are free already. */
  async free({ allocation: { id } }: Held): Promise<boolean> {
    const { message } = await this.#wire.ask({ free: { allocation: { id } } });
    return message.free?.freed === true;
  }

  /** The device fills it with a word. */
  /** Makes earlier writes through mappings visible to importers. */
  async sync({ allocation: { id } }: Held): Promise<void> {
    await this.control.call('Transfer', { sync: { allocation: { id } } });
  }

  async fill({ allocation: { id } }: Held, pattern: number): Promise<void> {
    await this.control.call('Transfer', { fill: { allocation: { id }, pattern } });
  }

  /** The device copies bytes; by default all of the source. */
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
