/**
 * Hello and Welcome: how a session begins, and how an inherited one goes on, or one whose connection was lost.
 */
import { type Decoded, PROTOCOL_VERSION, VkmemError } from '@vkmemd/proto';
import type { HandoffConnection } from './handoff.js';

export const DEFAULT_TIMEOUT_MS = 10_000;

export interface Greeting {
  /** For people and logs. At most 128 bytes count. */
  readonly clientName: string;
  /** Whether the connection came with a session on it. */
  readonly resume?: boolean;
  /** Of the session that shall go on, where the daemon still has it, and the grants that are held of it. */
  readonly sessionToken?: string;
  readonly grantIds?: readonly bigint[];
  /** In place of grantIds: all of them are held. */
  readonly keepAllGrants?: boolean;
  /** Infinity for as long as the connection stands. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Greets the daemon, once, before anything else is asked. Where it fails, the connection is closed.
 * @throws VkmemError UNAVAILABLE where the daemon is gone, or does not answer in time; VERSION_UNSUPPORTED;
 *   NOT_PERMITTED; PROTOCOL_ERROR.
 */
export async function greet(handoff: HandoffConnection, greeting: Greeting): Promise<Decoded<'Welcome'>> {
  const { clientName, resume = false, sessionToken = '', timeoutMs = DEFAULT_TIMEOUT_MS } = greeting;
  const late = () => {
    handoff.close(new VkmemError('UNAVAILABLE', `The daemon did not greet within ${timeoutMs} ms.`));
  };
  const timer = Number.isFinite(timeoutMs) ? setTimeout(late, timeoutMs) : undefined;
  // The connection keeps the process alive, or is not meant to.
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
    const { message } = await handoff.request('hello', hello);
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
