/**
 * The caller of a gRPC call: the identity that the kernel reported when its connection was accepted, and the
 * session that the call's metadata names.
 *
 * grpc-js identifies a peer only by its socket's remote address, which a Unix socket does not have. So each
 * accepted socket is given an artificial address, by which its identity is stored until the socket closes.
 */
import { Socket } from 'node:net';
import type { Metadata } from '@grpc/grpc-js';
import {
  type OwnedFd,
  PROTOCOL_VERSION,
  type RequestName,
  SESSION_METADATA,
  VERSION_METADATA,
  VkmemError,
} from '@vkmemd/proto';
import type { Authority } from '../memory/authority.js';
import type { Caller } from '../memory/session/caller.js';
import type { Sessions } from '../memory/session/session.js';
import type { Identity } from '../policy/identity.js';
import { requirePlane } from '../requests/access.js';

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

  /**
   * Makes a socket for gRPC from an accepted connection. Takes ownership of the fd; if it throws, the caller
   * still owns the fd.
   */
  admit(fd: OwnedFd, identity: Identity): Socket {
    const address = `peer-${this.#next}`;
    this.#next += 1;
    // Ownership changes once the socket has the fd. Until then the caller closes it.
    const socket = new Socket({ fd: fd.fd, readable: true, writable: true });
    fd.take();
    Object.defineProperty(socket, 'remoteAddress', { value: address });
    this.#identities.set(address, identity);
    socket.once('close', () => this.#identities.delete(address));
    return socket;
  }

  /**
   * The caller of a call.
   * @throws VkmemError NOT_PERMITTED if the policy does not permit it (requirePlane()); SESSION_INVALID,
   *   STALE_INCARNATION, VERSION_UNSUPPORTED.
   */
  of(call: { getPeer(): string; metadata: Metadata; cancelled: boolean }, request: RequestName): Caller {
    const identity = this.#identities.get(call.getPeer());
    if (!identity) throw new Error(`a call arrived from ${call.getPeer()}, which was not accepted here`);
    const { authority, sessions } = this.#with;
    requirePlane(authority, 'control', { identity, session: undefined, gone: () => false }, request);
    const version = call.metadata.get(VERSION_METADATA)[0];
    if (version !== undefined && String(version) !== String(PROTOCOL_VERSION)) {
      throw new VkmemError(
        'VERSION_UNSUPPORTED',
        `The client's protocol version is ${version}, the daemon's ${PROTOCOL_VERSION}.`,
        {
          supported: String(PROTOCOL_VERSION),
        },
      );
    }
    const token = call.metadata.get(SESSION_METADATA)[0];
    const session = token === undefined ? undefined : sessions.byToken(String(token), identity);
    return { identity, session, gone: () => call.cancelled || session?.ended === true };
  }
}
