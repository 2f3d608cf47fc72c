/**
 * Hello and Welcome: opens a session, or resumes one that was inherited or has lost its connection.
 */
import { type Decoded, encode, PROTOCOL_VERSION, VkmemError } from '@vkmemd/proto';
import type { HandoffConnection } from './handoff.js';

export const DEFAULT_TIMEOUT_MS = 10_000;

export interface Greeting {
  /** For people and logs. Only the first 128 bytes are used. */
  readonly clientName: string;
  /** Whether the connection was inherited together with its session. */
  readonly resume?: boolean;
  /** The token of the session to resume, if the daemon still has it. */
  readonly sessionToken?: string;
  /** With sessionToken: the grants of the session that the client holds. */
  readonly grantIds?: readonly bigint[];
  /** Instead of grantIds: the daemon keeps all grants. */
  readonly keepAllGrants?: boolean;
  /** Milliseconds to wait for the answer; Infinity for no limit. Default 10 000. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Loads what Hello needs. Called before a connection is opened: the daemon waits a limited time for Hello, and a slow
 * processor needs seconds to load the schemas.
 */
export function prepareHello(): void {
  encode('ClientMessage', { hello: {} });
}

/**
 * Answers the challenge of a daemon that does not know which process it serves (before Linux 6.5). A session that this
 * process inherited from another one continues without.
 * @returns the last Welcome.
 */
async function prove(handoff: HandoffConnection, welcome: Decoded<'Welcome'>): Promise<Decoded<'Welcome'>> {
  try {
    const { message } = await handoff.prove(welcome.challenge);
    return { ...message, restored: welcome.restored || message.restored };
  } catch (failure) {
    if (welcome.sessionId === 0n || handoff.end !== undefined) throw failure;
    return welcome;
  }
}

/**
 * Sends Hello, once, before any other request. On failure the connection is closed.
 * @throws VkmemError UNAVAILABLE if the connection ends or the daemon does not answer in time;
 *   VERSION_UNSUPPORTED; NOT_PERMITTED; TOO_MANY_SESSIONS, TOO_MANY_FILES; PROTOCOL_ERROR.
 */
export async function greet(handoff: HandoffConnection, greeting: Greeting): Promise<Decoded<'Welcome'>> {
  const { clientName, resume = false, sessionToken = '', timeoutMs = DEFAULT_TIMEOUT_MS } = greeting;
  const late = () => {
    handoff.close(
      new VkmemError(
        'UNAVAILABLE',
        `${handoff.where}: the daemon did not answer Hello within ${timeoutMs} ms.`,
      ),
    );
  };
  const timer = Number.isFinite(timeoutMs) ? setTimeout(late, timeoutMs) : undefined;
  // The connection keeps the process alive; this timer does not.
  timer?.unref();
  try {
    const hello = {
      protocolVersion: PROTOCOL_VERSION,
      clientName,
      resume,
      sessionToken,
      grantIds: [...(greeting.grantIds ?? [])],
      keepAllGrants: greeting.keepAllGrants ?? false,
    };
    const { message } = await handoff.request('Hello', hello);
    if (message.protocolVersion !== PROTOCOL_VERSION) {
      throw new VkmemError(
        'VERSION_UNSUPPORTED',
        `The daemon uses protocol version ${message.protocolVersion}, this client ${PROTOCOL_VERSION}.`,
      );
    }
    return message.challenge.byteLength > 0 ? await prove(handoff, message) : message;
  } catch (failure) {
    handoff.close(new VkmemError('UNAVAILABLE', 'The session could not be opened.', {}, failure));
    throw failure;
  } finally {
    clearTimeout(timer);
  }
}
