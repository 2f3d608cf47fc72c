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
  try {
    const uid = execFileSync('id', ['-u', text], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return parseNumber('uid', uid.trim());
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new VkmemError(
        'INVALID_ARGUMENT',
        'uid: this host has no id(1) to look the name up; give the uid.',
        {
          field: 'uid',
        },
      );
    }
    const reason = `uid: this host knows no user ${JSON.stringify(text)}.`;
    const next = 'Check the name, or give the uid (id -u NAME, on a host that knows the user).';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'uid' }, cause, next);
  }
}
