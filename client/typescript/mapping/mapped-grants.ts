/**
 * MappedGrants: the grants that one client holds, by the session epoch in which they were granted.
 */
import type { Grant, OwnedFd } from '@vkmemd/proto';
import { type Dropped, MappedGrant } from './mapped-grant.js';

export class MappedGrants {
  /** The epoch of the session (Link) of each MappedGrant. */
  readonly #all = new Map<MappedGrant, object>();

  /**
   * @param fds The fds of the grants, in the order of the grants; taken.
   * @param size Of the allocation, in bytes.
   */
  add(epoch: object, grants: readonly Grant[], fds: readonly OwnedFd[], size: bigint): MappedGrant {
    const mappedGrant = new MappedGrant(grants, fds, size, (dropped) => this.#all.delete(dropped));
    this.#all.set(mappedGrant, epoch);
    return mappedGrant;
  }

  /**
   * The ids of the grants of one epoch that are held. In another epoch the same ids are those of other
   * grants.
   */
  grantIdsOf(epoch: object): bigint[] {
    return [...this.#all].flatMap(([{ grants }, of]) => (of === epoch ? grants.map(({ id }) => id) : []));
  }

  /**
   * Unmaps and closes everything, also after a failure.
   * @returns As of one, with the first failure, if any.
   */
  drop(): Dropped {
    const dropped = [...this.#all.keys()].map((mappedGrant) => mappedGrant.drop());
    return {
      held: dropped.length > 0,
      failure: dropped.find(({ failure }) => failure !== undefined)?.failure,
      closed: Promise.all(dropped.map(({ closed }) => closed)),
    };
  }
}
