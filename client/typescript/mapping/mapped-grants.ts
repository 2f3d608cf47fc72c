/**
 * MappedGrants: the grants that this process holds through one client, by the session epoch in which they
 * were granted.
 */
import type { Grant, OwnedFd } from '@vkmemd/proto';
import { type Dropped, MappedGrant } from './mapped-grant.js';

export class MappedGrants {
  /** Mapped grant -> the epoch of its session (Link). */
  readonly #all = new Map<MappedGrant, object>();

  /** @param fds of the grants, as MappedGrant has them; owned from here. */
  add(epoch: object, grants: readonly Grant[], fds: readonly OwnedFd[]): MappedGrant {
    const mappedGrant = new MappedGrant(grants, fds, (dropped) => this.#all.delete(dropped));
    this.#all.set(mappedGrant, epoch);
    return mappedGrant;
  }

  /** The ids of the grants that are held of one epoch. The same numbers in another one are other grants. */
  grantIdsOf(epoch: object): bigint[] {
    return [...this.#all].flatMap(([{ grants }, of]) => (of === epoch ? grants.map(({ id }) => id) : []));
  }

  /** Unmaps and closes everything, also after a failure. @returns the first drop that failed. */
  drop(): Dropped | undefined {
    const dropped = [...this.#all.keys()].map((mappedGrant) => mappedGrant.drop());
    return dropped.find(({ failure }) => failure !== undefined);
  }
}
