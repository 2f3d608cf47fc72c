/**
 * What each socket without fds permits: the control socket, and the admin socket with its TCP addresses. The
 * handlers check the rights of a caller to what it asks for; this is checked before them.
 *
 * The control socket is for every peer that the policy permits to connect. The admin socket changes nothing,
 * and is for operators; GetHealth is for every process that can connect. On TCP, where a caller has no
 * identity, only open requests are permitted (handlers.ts).
 */
import { type RequestName, requestRow, VkmemError } from '@vkmemd/proto';
import type { Authority } from '../memory/authority.js';
import type { AnyCaller } from '../memory/session/caller.js';
import type { OpenRequest } from './handlers.js';

/** The planes without fds. */
export type AskedPlane = 'control' | 'admin';

const OPEN: ReadonlySet<RequestName> = new Set<OpenRequest>(['GetHealth', 'GetMetrics', 'GetStatus']);

/** @throws VkmemError NOT_PERMITTED unless the caller may send the request on the plane. */
export function requirePlane(
  authority: Authority,
  plane: AskedPlane,
  { identity }: AnyCaller,
  name: RequestName,
): void {
  const { method, shape, repeat } = requestRow(name);
  if (plane === 'control') {
    if (!identity || method === undefined) {
      throw refused(`${name} is not served on the control socket.`, 'Send it on the handoff socket.');
    }
    authority.requireConnect(identity);
    return;
  }
  if (shape !== 'unary' || repeat !== 'free') {
    throw refused(`${name} is not served on the admin socket.`, 'Use the control socket (vkmemctl).');
  }
  if (!identity) {
    if (OPEN.has(name)) return;
    throw refused(
      'This page is served on the Unix socket only, since TCP does not identify the caller.',
      'Request it as an operator with curl --unix-socket.',
    );
  }
  if (name === 'GetHealth' || authority.isOperator(identity)) return;
  throw refused(
    `Only operators may request this page; user ${identity.uid} is not an operator.`,
    'Ask an operator, or for operator = true in the policy; vkmemctl status is for all users.',
  );
}

const refused = (reason: string, next: string): VkmemError =>
  new VkmemError('NOT_PERMITTED', reason, {}, undefined, next);
