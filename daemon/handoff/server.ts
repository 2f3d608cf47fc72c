/** The handoff plane: listens on a SOCK_SEQPACKET socket, and has one Peer for each connection. */
import {
  asVkmemError,
  Listener,
  type ListenPlace,
  type OwnedFd,
  type PeerIdentity,
  VkmemError,
} from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Quotas } from '../memory/accounting/quotas.js';
import type { ClaimQueue } from '../memory/grant/claim-queue.js';
import type { SemaphoreWaits } from '../memory/semaphore/waits.js';
import type { Identity } from '../policy/identity.js';
import { identityOf } from '../policy/unit.js';
import { reportAnswer } from '../requests/events.js';
import { Admission, type Place } from './admission.js';
import { Challenge } from './challenge.js';
import { Lingering } from './lingering.js';
import { Peer, type PeerCollaborators } from './peer.js';
import { reject } from './reject.js';

interface Collaborators extends PeerCollaborators {
  readonly fds: FdBudget;
  readonly quotas: Quotas;
  readonly claimQueue: ClaimQueue;
  readonly semaphoreWaits: SemaphoreWaits;
  /** The front, which strangers talk to: its process may not connect. */
  readonly front: { readonly pid: number | undefined };
}

export class HandoffServer implements AsyncDisposable {
  readonly #with: Collaborators;
  #listener: Listener | undefined;
  readonly #peers = new Set<Peer>();
  readonly #lingering = new Lingering();
  readonly #admission: Admission;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
    this.#admission = new Admission(collaborators);
  }

  /**
   * Starts to listen and serve.
   * @param place a path without a socket in an existing folder; or a listening socket, whose ownership is
   *   taken.
   * @throws KernelError.
   */
  listen(place: ListenPlace): void {
    this.#listener = Listener.at(
      place,
      { type: 'seqpacket', untrusted: true, arrivals: this.#with.fds.newcomers },
      {
        connection: (fd, peer) => this.#accept(fd, peer),
        error: (cause) => this.#with.reporter.fault('the handoff socket could not accept', cause),
      },
    );
  }

  #accept(fd: OwnedFd, { pidfd, ...ids }: PeerIdentity): void {
    const { authority } = this.#with;
    let peer: Peer | undefined;
    let place: Place | undefined;
    let identity: Identity | undefined;
    let challenge: Challenge | undefined;
    try {
      identity = identityOf({ pidfd, ...ids }, authority.policy);
      this.#refuseFront(identity);
      challenge = Challenge.of({ pidfd, ...ids }, authority.policy);
      // A peer that only its unit permits to connect may say which process it is.
      const allowed = [challenge?.identity, identity].find((one) => one && authority.rightsOf(one).connect);
      authority.requireConnect(allowed ?? identity);
      const admitted = this.#admission.admit(allowed ?? identity);
      place = admitted;
      peer = new Peer(this.#with, fd, { identity, challenge }, admitted, (gone, unread) => {
        this.#peers.delete(gone);
        if (unread) this.#lingering.add(unread, admitted);
        else admitted[Symbol.dispose]();
      });
      this.#peers.add(peer);
      if (pidfd) peer.closeOnExit(pidfd);
    } catch (failure) {
      pidfd?.close();
      challenge?.[Symbol.dispose]();
      if (!place) {
        this.#refuse(fd, failure, identity);
        return;
      }
      // If the peer already owns the fd, closing its connection closes the fd and disposes the place.
      if (peer) peer.close();
      else {
        place[Symbol.dispose]();
        place.process[Symbol.dispose]();
      }
      fd.close();
      this.#with.reporter.fault('a client of the handoff socket could not be served', failure);
    }
  }

  /** @throws VkmemError NOT_PERMITTED for the front's process. */
  #refuseFront({ pid }: Identity): void {
    if (pid === 0 || pid !== this.#with.front.pid) return;
    throw new VkmemError('NOT_PERMITTED', 'The front may not use the handoff socket.');
  }

  #refuse(fd: OwnedFd, refusal: unknown, identity: Identity | undefined): void {
    try {
      const error = asVkmemError(refusal);
      reject(fd, error);
      reportAnswer(this.#with.requestEvents, 'handoff', 'connection', error.code, identity && { identity });
    } catch (failure) {
      fd.close();
      this.#with.reporter.fault('a refusal could not be sent to a client of the handoff socket', failure);
    }
  }

  /** Connections that were admitted and have not ended. */
  get connections(): number {
    return this.#peers.size;
  }

  stopAccepting(): void {
    this.#listener?.close();
  }

  /** Stops accepting; refuses waiting requests, and resolves when every request under way is answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stopAccepting();
    const stopping = new VkmemError('UNAVAILABLE', 'The daemon is stopping.');
    this.#with.claimQueue.stop(stopping);
    this.#with.semaphoreWaits.stop(stopping);
    await Promise.all([...this.#peers].map((peer) => peer.finish()));
    this.#lingering[Symbol.dispose]();
  }
}
