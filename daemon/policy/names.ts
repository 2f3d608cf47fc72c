/**
 * Names of users and groups, resolved to ids.
 *
 * /etc/passwd and /etc/group are read; other names (of a directory service, of systemd's dynamic users) are
 * looked up in the system's name service with `getent`, since Node.js has no call for it. Each name is looked
 * up when a policy is read; later changes take effect at the next reload. A name service that does not answer
 * is not asked again for the same policy, so that a reload ends.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { quoted } from './findings.js';

/** The databases of users and of groups, as getent names them. */
export type Database = 'passwd' | 'group';

const TIMEOUT_MS = 5000;
/** Neither an option of getent, nor a number, nor characters that these databases cannot hold. */
const NAME = /^(?!\d+$)[^\s:,\p{Cc}-][^\s:,\p{Cc}]{0,255}$/u;
const WORDS: Readonly<Record<Database, string>> = { passwd: 'user', group: 'group' };

/** The names to look up. */
export type Wanted = Readonly<Record<Database, ReadonlySet<string>>>;

/** An id, or why none was found. */
type Found = number | string;

export class Names {
  readonly #found: Readonly<Record<Database, ReadonlyMap<string, Found>>>;

  private constructor(found: Readonly<Record<Database, ReadonlyMap<string, Found>>>) {
    this.#found = found;
  }

  /** Looks up all names. Never fails: idOf() says why a name has no id. */
  static async lookUp(wanted: Wanted): Promise<Names> {
    // One after the other: each getent uses fds, and a daemon that serves may have few left.
    const passwd = await lookUp('passwd', wanted.passwd);
    const group = await lookUp('group', wanted.group);
    return new Names({ passwd, group });
  }

  /** The id of a name that was looked up; otherwise the reason, as a part of a sentence. */
  idOf(database: Database, name: string): Found {
    return this.#found[database].get(name) ?? `${quoted(name)} was not looked up`;
  }
}

async function lookUp(database: Database, names: ReadonlySet<string>): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  const what = WORDS[database];
  for (const name of names) {
    if (/^\d+$/.test(name)) found.set(name, `${quoted(name)} is a number in quotes`);
    else if (!NAME.test(name)) found.set(name, `${quoted(name)} is no ${what}'s name`);
  }
  const asked = [...names].filter((name) => !found.has(name));
  if (asked.length === 0) return found;
  const listed = idsIn(await textOf(`/etc/${database}`));
  let silent: string | undefined;
  for (const name of asked) {
    const id = listed.get(name);
    const answer = id ?? silent ?? (await askService(database, name));
    if (typeof answer === 'string') silent = answer;
    found.set(
      name,
      typeof answer === 'string'
        ? `the ${what} ${quoted(name)} could not be looked up (${answer})`
        : (answer ?? `there is no ${what} ${quoted(name)}`),
    );
  }
  return found;
}

/**
 * Where the file cannot be read, all names are asked of the name service, whose error says more than the
 * file's errno.
 */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}

/** Parses lines of name:password:id:...; the first line of a name counts. */
function idsIn(text: string): Map<string, number> {
  const ids = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':');
    if (name && id && /^\d{1,10}$/.test(id) && !ids.has(name)) ids.set(name, Number(id));
  }
  return ids;
}

/** The name's id; undefined where the name does not exist; a text where the service did not answer. */
function askService(database: Database, name: string): Promise<number | string | undefined> {
  const options = {
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 20,
    encoding: 'utf8',
  } as const;
  return new Promise((resolve) => {
    execFile('getent', [database, name], options, (failure, output) => {
      const [line = ''] = output.split('\n');
      const id = /^[^:]*:[^:]*:(\d{1,10})(?::|$)/.exec(line)?.[1];
      // getent exits with 2 for a name that does not exist; any other failure is no answer.
      if (!failure && id !== undefined) resolve(Number(id));
      else if (failure?.code === 2) resolve(undefined);
      else if (failure?.killed) resolve(`getent did not answer within ${TIMEOUT_MS} ms`);
      else resolve(failure ? `getent: ${failure.code ?? failure.signal}` : 'getent answered with no entry');
    });
  });
}
