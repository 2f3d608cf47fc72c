/**
 * The handoff plane: listens on a SOCK_SEQPACKET socket and keeps its peers.
 */
import { Listener, type OwnedFd, type PeerIdentity } from '@vkmemd/proto';
import type { Domain } from '../memory/domain.js';
import { Peer } from './peer.js';

export class HandoffServer {
  readonly #domain: Domain;
  readonly #listener: Listener;
  readonly #peers = new Set<Peer>();

  /** @param path of the socket; its folder exists and no socket is there. */
  constructor(domain: Domain, path: string) {
    this.#domain = domain;
    this.#listener = Listener.listen(
      { type: 'seqpacket', path, untrusted: true },
      {
        connection: (fd, peer) => this.#accept(fd, peer),
        error: (cause) => domain.events.fault('the handoff socket could not accept', cause),
      },
    );
  }

  #accept(fd: OwnedFd, { pidfd, ...identity }: PeerIdentity): void {
    let peer: Peer | undefined;
    try {
      peer = new Peer(this.#domain, fd, identity, (gone) => this.#peers.delete(gone));
      this.#peers.add(peer);
      if (pidfd) peer.endWith(pidfd);
    } catch (failure) {
      // Where the peer has the fd already, closing its connection closes it.
      peer?.close();
      pidfd?.close();
      fd.close();
      this.#domain.events.fault('a client could not be served', failure);
    }
  }

  stopAccepting(): void {
    this.#listener.close();
  }

  /** Stops accepting; resolves when every request under way is answered. */
  async close(): Promise<void> {
    this.stopAccepting();
    await Promise.all([...this.#peers].map((peer) => peer.finish()));
  }
}
