/**
 * Holdings: all that this process holds through one client, by the session under which it was granted.
 */
import type { Grant, OwnedFd } from '@vkmemd/proto';
import { type Dropped, MappedGrant } from './mapped-grant.js';

export class MappedGrants {
  /** Holding -> the era of its session (Link). */
  readonly #all = new Map<MappedGrant, object>();

  /** @param fds of the grants, as Holding has them; owned from here. */
  add(epoch: object, grants: readonly Grant[], fds: readonly OwnedFd[]): MappedGrant {
    const holding = new MappedGrant(grants, fds, (gone) => this.#all.delete(gone));
    this.#all.set(holding, epoch);
    return holding;
  }

  /** The ids of the grants that are held of one session. Another session's numbers mean something else. */
  grantsOf(epoch: object): bigint[] {
    return [...this.#all].flatMap(([{ grants }, of]) => (of === epoch ? grants.map(({ id }) => id) : []));
  }

  /** Unmaps and closes everything, whatever fails. @returns the first that could not be ended as it should. */
  drop(): Dropped | undefined {
    const dropped = [...this.#all.keys()].map((holding) => holding.drop());
    return dropped.find(({ failure }) => failure !== undefined);
  }
}
