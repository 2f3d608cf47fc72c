/**
 * Resolves names of users and groups to ids.
 *
 * /etc/passwd and /etc/group are read first. Other names (of a directory service, of systemd's dynamic users)
 * are looked up in the system's name service with `getent`, because Node.js has no call for it. Names are
 * looked up when a policy is read; later changes take effect at the next reload. If the name service does not
 * respond to one name, it is not asked for the others of the same policy, so that a reload always ends.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { quoted } from './findings.js';

/** The databases of users and groups, by the names that getent uses. */
export type Database = 'passwd' | 'group';

const TIMEOUT_MS = 5000;
/** Excludes options of getent, numbers, and characters that these databases cannot contain. */
const NAME = /^(?!\d+$)[^\s:,\p{Cc}-][^\s:,\p{Cc}]{0,255}$/u;
const WORDS: Readonly<Record<Database, string>> = { passwd: 'user', group: 'group' };

/** The names to look up. */
export type Wanted = Readonly<Record<Database, ReadonlySet<string>>>;

/** An id, or the reason why none was found. */
type Found = number | string;

export class Names {
  readonly #found: Readonly<Record<Database, ReadonlyMap<string, Found>>>;

  private constructor(found: Readonly<Record<Database, ReadonlyMap<string, Found>>>) {
    this.#found = found;
  }

  /** Looks up all names. Never fails: idOf() returns the reason why a name has no id. */
  static async lookUp(wanted: Wanted): Promise<Names> {
    // One at a time: each getent uses fds, and a daemon that serves may have few left.
    const passwd = await lookUp('passwd', wanted.passwd);
    const group = await lookUp('group', wanted.group);
    return new Names({ passwd, group });
  }

  /** The id of a name, or the reason why there is none, as a part of a sentence. */
  idOf(database: Database, name: string): Found {
    return this.#found[database].get(name) ?? `${quoted(name)} was not looked up`;
  }
}

async function lookUp(database: Database, names: ReadonlySet<string>): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  const what = WORDS[database];
  for (const name of names) {
    if (/^\d+$/.test(name)) found.set(name, `${quoted(name)} is a number in quotes`);
    else if (!NAME.test(name)) found.set(name, `${quoted(name)} is not a valid ${what} name`);
  }
  const wanted = [...names].filter((name) => !found.has(name));
  if (wanted.length === 0) return found;
  const listed = idsIn(await textOf(`/etc/${database}`));
  let serviceFailure: string | undefined;
  for (const name of wanted) {
    const id = listed.get(name);
    const answer = id ?? serviceFailure ?? (await askService(database, name));
    if (typeof answer === 'string') serviceFailure = answer;
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
 * If the file cannot be read, all names are looked up in the name service, whose error is more helpful than
 * the file's errno.
 */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}

/** Parses lines of the form name:password:id:...; of several lines with one name the first is used. */
function idsIn(text: string): Map<string, number> {
  const ids = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':');
    if (name && id && /^\d{1,10}$/.test(id) && !ids.has(name)) ids.set(name, Number(id));
  }
  return ids;
}

/** The name's id; undefined if the name does not exist; the reason if the service did not respond. */
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
      // getent exits with 2 for a name that does not exist; any other status means that the lookup failed.
      if (!failure && id !== undefined) resolve(Number(id));
      else if (failure?.code === 2) resolve(undefined);
      else if (failure?.killed) resolve(`getent did not respond within ${TIMEOUT_MS} ms`);
      else resolve(failure ? `getent: ${failure.code ?? failure.signal}` : 'getent printed no entry');
    });
  });
}
