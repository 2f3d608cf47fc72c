/**
 * What both sides say of themselves at the beginning of a session, and again when another process resumes it.
 */
import { type Decoded, type Draft, MAX_MESSAGE_BYTES, PROTOCOL_VERSION, VkmemError } from '@vkmemd/proto';
import { beginSession } from '../memory/allocation/draining.js';
import type { Domain } from '../memory/domain.js';
import { keepGrants } from '../memory/grant/grant.js';
import type { ClientProcess } from '../memory/session/client-process.js';
import type { Session } from '../memory/session/session.js';
import type { Identity } from '../policy/identity.js';
import { publishRequest } from '../requests/events.js';

const MAX_CLIENT_NAME_BYTES = 128;

type Hello = Decoded<'ClientMessage'>['hello'];

/**
 * @returns what the client calls itself.
 * @throws VkmemError VERSION_UNSUPPORTED; PROTOCOL_ERROR for a name that is too long.
 */
export function checkHello(hello: Hello): string {
  const version = hello?.protocolVersion;
  if (version !== PROTOCOL_VERSION) {
    throw new VkmemError(
      'VERSION_UNSUPPORTED',
      `The client speaks ${version}, the daemon ${PROTOCOL_VERSION}.`,
      {
        supported: String(PROTOCOL_VERSION),
      },
    );
  }
  const clientName = hello?.clientName ?? '';
  if (Buffer.byteLength(clientName) > MAX_CLIENT_NAME_BYTES) {
    throw new VkmemError('PROTOCOL_ERROR', `client_name has more than ${MAX_CLIENT_NAME_BYTES} bytes.`);
  }
  return clientName;
}

/**
 * The session that Hello begins, or goes on with where it outlived its daemon: then the grants that the client does not
 * have are taken back.
 * @throws VkmemError TOO_MANY_SESSIONS, NOT_PERMITTED.
 */
export function sessionFor(
  domain: Domain,
  identity: Identity,
  process: ClientProcess | undefined,
  hello: Hello,
): { readonly session: Session; readonly restored: boolean } {
  const clientName = checkHello(hello);
  domain.authority.requireConnect(identity);
  const before = hello?.sessionToken ? domain.sessions.wake(hello.sessionToken, identity) : undefined;
  const session = before ?? beginSession(domain, identity, clientName, process);
  session.clientName = clientName;
  session.process = process ?? session.process;
  if (before && !hello?.keepAllGrants) keepGrants(domain, before, new Set(hello?.grantIds));
  return { session, restored: before !== undefined };
}

/** The answer to Hello, which is told of as answered. */
export function welcomeTo(domain: Domain, session: Session, restored = false): Draft<'Welcome'> {
  publishRequest(domain, 'handoff', 'hello', 'OK', { identity: session.identity, session });
  return {
    protocolVersion: PROTOCOL_VERSION,
    incarnation: domain.sessions.incarnation,
    sessionToken: session.token,
    sessionId: session.id,
    daemonVersion: domain.version,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    restored,
  };
}
