/**
 * Hello and Welcome: the begin of a session, and the resumption of one that is inherited or has lost its
 * connection.
 */
import { type Decoded, PROTOCOL_VERSION, VkmemError } from '@vkmemd/proto';
import type { HandoffConnection } from './handoff.js';

export const DEFAULT_TIMEOUT_MS = 10_000;

export interface Greeting {
  /** For people and logs. At most 128 bytes count. */
  readonly clientName: string;
  /** Whether the connection came with a session on it. */
  readonly resume?: boolean;
  /** The session to resume, where the daemon still has it, and the grants of it that are held. */
  readonly sessionToken?: string;
  readonly grantIds?: readonly bigint[];
  /** In place of grantIds: all of them are held. */
  readonly keepAllGrants?: boolean;
  /** Infinity for as long as the connection lasts. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Sends Hello, once, before any other request. Where it fails, the connection is closed.
 * @throws VkmemError UNAVAILABLE where the daemon is gone, or does not answer in time; VERSION_UNSUPPORTED;
 *   NOT_PERMITTED; PROTOCOL_ERROR.
 */
export async function greet(handoff: HandoffConnection, greeting: Greeting): Promise<Decoded<'Welcome'>> {
  const { clientName, resume = false, sessionToken = '', timeoutMs = DEFAULT_TIMEOUT_MS } = greeting;
  const late = () => {
    handoff.close(new VkmemError('UNAVAILABLE', `The daemon did not greet within ${timeoutMs} ms.`));
  };
  const timer = Number.isFinite(timeoutMs) ? setTimeout(late, timeoutMs) : undefined;
  // The connection decides whether the process stays alive.
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
      throw new VkmemError('VERSION_UNSUPPORTED', `The daemon speaks ${message.protocolVersion}.`);
    }
    return message;
  } catch (failure) {
    handoff.close(new VkmemError('UNAVAILABLE', 'The greeting failed.', {}, failure));
    throw failure;
  } finally {
    clearTimeout(timer);
  }
}
