/**
 * Who makes a gRPC call: the identity that the kernel gave when its connection was accepted, and the session
 * that its metadata names.
 *
 * gRPC for Node knows a peer only by its socket's remote address, which a Unix socket does not have. Each
 * accepted socket is given one of ours, under which its identity is kept until the socket closes.
 */
import { Socket } from 'node:net';
import type { Metadata } from '@grpc/grpc-js';
import {
  type OwnedFd,
  PROTOCOL_VERSION,
  SESSION_METADATA,
  VERSION_METADATA,
  VkmemError,
} from '@vkmemd/proto';
import type { Authority } from '../memory/authority.js';
import type { Caller } from '../memory/session/caller.js';
import type { Sessions } from '../memory/session/session.js';
import type { Identity } from '../policy/identity.js';

interface Collaborators {
  readonly authority: Authority;
  readonly sessions: Sessions;
}

export class Callers {
  readonly #with: Collaborators;
  readonly #identities = new Map<string, Identity>();
  #next = 1;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /** The accepted connection as a socket that gRPC can serve. Owns the fd. */
  admit(fd: OwnedFd, identity: Identity): Socket {
    const address = `peer-${this.#next}`;
    this.#next += 1;
    // Taken only once the socket has it: until then the caller closes it.
    const socket = new Socket({ fd: fd.fd, readable: true, writable: true });
    fd.take();
    Object.defineProperty(socket, 'remoteAddress', { value: address });
    this.#identities.set(address, identity);
    socket.once('close', () => this.#identities.delete(address));
    return socket;
  }

  /**
   * @throws VkmemError NOT_PERMITTED where the policy does not let the peer connect; SESSION_INVALID,
   *   STALE_INCARNATION, VERSION_UNSUPPORTED.
   */
  of(call: { getPeer(): string; metadata: Metadata; cancelled: boolean }): Caller {
    const identity = this.#identities.get(call.getPeer());
    if (!identity) throw new Error(`a call came from ${call.getPeer()}, which was not accepted here`);
    this.#with.authority.requireConnect(identity);
    const version = call.metadata.get(VERSION_METADATA)[0];
    if (version !== undefined && String(version) !== String(PROTOCOL_VERSION)) {
      throw new VkmemError(
        'VERSION_UNSUPPORTED',
        `The client speaks ${version}, the daemon ${PROTOCOL_VERSION}.`,
        {
          supported: String(PROTOCOL_VERSION),
        },
      );
    }
    const token = call.metadata.get(SESSION_METADATA)[0];
    const session = token === undefined ? undefined : this.#with.sessions.byToken(String(token), identity);
    return { identity, session, gone: () => call.cancelled || session?.ended === true };
  }
}
