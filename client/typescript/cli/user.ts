/**
 * A user on the command line: a uid, or a name that the system's name service resolves (`id -u`), because
 * Node.js has no call for it.
 */
import { execFileSync } from 'node:child_process';
import { VkmemError } from '@vkmemd/proto';
import { parseNumber } from './size.js';

/** Excludes options of id, and characters that no user name has. */
const NAME = /^[^\s:,\p{Cc}\d-][^\s:,\p{Cc}]{0,255}$/u;

/** @throws VkmemError INVALID_ARGUMENT if the host knows no such user. */
export function parseUser(text: string): number {
  if (!NAME.test(text)) return parseNumber('uid', text);
  let uid: string;
  try {
    uid = execFileSync('id', ['-u', text], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (cause) {
    // Only a failure to run id has a code.
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined) {
      const reason = `uid: id(1), which looks up ${JSON.stringify(text)}, cannot be run here (${code}).`;
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'uid' }, cause, 'Give the uid, a number.');
    }
    const reason = `uid: this host knows no user ${JSON.stringify(text)}.`;
    const next = 'Check the name, or give the uid (id -u NAME, on a host that knows the user).';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'uid' }, cause, next);
  }
  return parseNumber('uid', uid.trim());
}
