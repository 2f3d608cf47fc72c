/**
 * Hello: begins a session, or resumes an existing one: a session that survived a restart of the daemon, or
 * the session of a connection that another process of the client inherited.
 */
import {
  MAX_MESSAGE_BYTES,
  PROTOCOL_VERSION,
  type RequestOf,
  type ResponseDraft,
  VkmemError,
} from '@vkmemd/proto';
import type { Draining } from '../memory/allocation/draining.js';
import type { Authority } from '../memory/authority.js';
import type { Grants } from '../memory/grant/grants.js';
import type { ClientProcess } from '../memory/session/client-process.js';
import type { SessionLifecycle } from '../memory/session/lifecycle.js';
import type { Session, Sessions } from '../memory/session/session.js';
import type { Identity } from '../policy/identity.js';

const MAX_CLIENT_NAME_BYTES = 128;

interface Collaborators {
  readonly authority: Authority;
  readonly sessions: Sessions;
  readonly lifecycle: SessionLifecycle;
  readonly grants: Grants;
  readonly draining: Draining;
  readonly version: string;
}

/** The session of a connection, and the answer to its Hello. */
export interface Greeted {
  readonly session: Session;
  readonly welcome: ResponseDraft<'Hello'>;
}

export interface Greetings {
  /**
   * The first Hello of a connection: begins a session, or wakes the one that survived a restart of the
   * daemon. Then drops the grants that the client does not list.
   * @param process that opened the connection; undefined if the kernel cannot identify it.
   * @throws VkmemError VERSION_UNSUPPORTED, PROTOCOL_ERROR, TOO_MANY_SESSIONS, NOT_PERMITTED.
   */
  begin(identity: Identity, process: ClientProcess | undefined, hello: RequestOf<'Hello'>): Greeted;
  /** Another process has inherited the connection. @throws VkmemError VERSION_UNSUPPORTED, PROTOCOL_ERROR. */
  resume(session: Session, hello: RequestOf<'Hello'>): Greeted;
  /**
   * The process that opened the connection of a session has identified itself.
   * @throws VkmemError NOT_PERMITTED if the policy does not permit it, with its unit, to connect.
   */
  prove(session: Session, identity: Identity, process: ClientProcess): Greeted;
  /** Whether the peer is known as the process of a session that it continues. */
  isKnown(identity: Identity, hello: RequestOf<'Hello'>): boolean;
  /** A Welcome without a session: it begins once the process has identified itself. */
  postponed(): ResponseDraft<'Hello'>;
}

export function hello(collaborators: Collaborators): Greetings {
  const { authority, sessions, lifecycle, grants, draining, version } = collaborators;

  const postponed = (): ResponseDraft<'Hello'> => ({
    protocolVersion: PROTOCOL_VERSION,
    incarnation: sessions.incarnation,
    daemonVersion: version,
    maxMessageBytes: MAX_MESSAGE_BYTES,
  });

  const welcome = (session: Session, restored: boolean): ResponseDraft<'Hello'> => ({
    ...postponed(),
    sessionToken: session.token,
    sessionId: session.id,
    restored,
  });

  /**
   * Drops the session's grants that the client does not list, because the answers that carried them were
   * lost. Many are dropped in slices, while the client may already get new ones, which have higher ids.
   */
  function dropLostGrants(session: Session, ids: ReadonlySet<bigint>): void {
    const { lastId } = grants;
    const { tenant } = session.identity;
    void draining.releaseAll(tenant, grants.ofSession(session), ({ id }) => id <= lastId && !ids.has(id));
  }

  return {
    begin(identity, process, request) {
      const clientName = parseHello(request);
      authority.requireConnect(identity);
      const before = request.sessionToken ? sessions.wake(request.sessionToken, identity) : undefined;
      const session = before ?? lifecycle.begin(identity, clientName, process);
      session.clientName = clientName;
      session.process = process ?? session.process;
      if (before && !request.keepAllGrants) dropLostGrants(before, new Set(request.grantIds));
      return { session, welcome: welcome(session, before !== undefined) };
    },
    resume(session, request) {
      session.clientName = parseHello(request);
      return { session, welcome: welcome(session, false) };
    },
    prove(session, identity, process) {
      authority.requireConnect(identity);
      session.prove(process, identity);
      return { session, welcome: welcome(session, false) };
    },
    isKnown: (identity, { sessionToken }) =>
      sessionToken !== '' && sessions.isSleeper(sessionToken, identity),
    postponed,
  };
}

/** @returns the client's name. */
function parseHello({ protocolVersion, clientName }: RequestOf<'Hello'>): string {
  if (protocolVersion !== PROTOCOL_VERSION) {
    const reason = `The client's protocol version is ${protocolVersion}, the daemon's ${PROTOCOL_VERSION}.`;
    throw new VkmemError('VERSION_UNSUPPORTED', reason, { supported: String(PROTOCOL_VERSION) });
  }
  if (Buffer.byteLength(clientName) > MAX_CLIENT_NAME_BYTES) {
    throw new VkmemError('PROTOCOL_ERROR', `client_name is longer than ${MAX_CLIENT_NAME_BYTES} bytes.`);
  }
  return clientName;
}
