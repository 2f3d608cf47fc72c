/**
 * The handoff plane: listens on a SOCK_SEQPACKET socket and keeps its peers.
 */
import {
  asVkmemError,
  Listener,
  type ListenPlace,
  type OwnedFd,
  type PeerIdentity,
  VkmemError,
} from '@vkmemd/proto';
import type { Domain } from '../memory/domain.js';
import type { Identity } from '../policy/identity.js';
import { identityOf } from '../policy/unit.js';
import { publishRequest } from '../requests/events.js';
import { Admission, type Place } from './admission.js';
import { Lingering } from './lingering.js';
import { Peer } from './peer.js';
import { reject } from './reject.js';

export class HandoffServer {
  readonly #domain: Domain;
  readonly #listener: Listener;
  readonly #peers = new Set<Peer>();
  readonly #lingering = new Lingering();
  readonly #admission: Admission;

  /** @param place a path whose folder exists and where no socket is; or a socket that listens, taken over. */
  constructor(domain: Domain, place: ListenPlace) {
    this.#domain = domain;
    this.#admission = new Admission(domain);
    this.#listener = Listener.at(
      place,
      { type: 'seqpacket', untrusted: true },
      {
        connection: (fd, peer) => this.#accept(fd, peer),
        error: (cause) => domain.events.fault('the handoff socket could not accept', cause),
      },
    );
  }

  #accept(fd: OwnedFd, { pidfd, ...ids }: PeerIdentity): void {
    let peer: Peer | undefined;
    let place: Place | undefined;
    let identity: Identity | undefined;
    try {
      identity = identityOf({ pidfd, ...ids }, this.#domain.authority.policy);
      place = this.#admission.admit(identity);
      const { leave } = place;
      peer = new Peer(this.#domain, fd, identity, place, (gone, unread) => {
        this.#peers.delete(gone);
        if (unread) this.#lingering.keep(unread, leave);
        else leave();
      });
      this.#peers.add(peer);
      if (pidfd) peer.endWith(pidfd);
    } catch (failure) {
      pidfd?.close();
      if (!place) {
        this.#refuse(fd, failure, identity);
        return;
      }
      // Where the peer has the fd already, closing its connection closes it, and gives up its place.
      if (peer) peer.close();
      else {
        place.leave();
        place.forgetProcess();
      }
      fd.close();
      this.#domain.events.fault('a client could not be served', failure);
    }
  }

  #refuse(fd: OwnedFd, refusal: unknown, identity: Identity | undefined): void {
    try {
      const error = asVkmemError(refusal);
      reject(fd, error);
      publishRequest(this.#domain, 'handoff', 'connection', error.code, identity && { identity });
    } catch (failure) {
      fd.close();
      this.#domain.events.fault('a client could not be refused', failure);
    }
  }

  /** Connections that there are now, of those that were admitted. */
  get connections(): number {
    return this.#peers.size;
  }

  stopAccepting(): void {
    this.#listener.close();
  }

  /** Stops accepting; resolves when every request under way is answered. Claims that wait are refused. */
  async close(): Promise<void> {
    this.stopAccepting();
    this.#domain.claimQueue.stop(new VkmemError('UNAVAILABLE', 'The daemon is stopping.'));
    await Promise.all([...this.#peers].map((peer) => peer.finish()));
    this.#lingering.close();
  }
}
