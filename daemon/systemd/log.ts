/**
 * The log: to the journal by its own protocol, where standard error is the journal; otherwise, and for what the journal
 * does not take, a line of JSON each on standard output, which has nothing else.
 *
 * Nothing waits for whoever reads: of what standard output does not take, MAX_BYTES wait, and what is more is dropped.
 */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import { entryOf, IDENTIFIER } from './entry.js';
import { isJournal, Journal } from './journal.js';

const MAX_BYTES = 1 << 20;
const FLUSH_MS = 500;
const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;

export interface Log {
  readonly log: pino.Logger;
  /** Says something at whatever level. */
  say(text: string): void;
  /** Says no more; resolves when what was said is written, or nobody has taken it for FLUSH_MS. */
  end(): Promise<void>;
}

/**
 * @param level of pino.
 * @param journalPath where journald listens. Default: where systemd has it.
 */
export async function openLog(level: string, env: NodeJS.ProcessEnv, journalPath?: string): Promise<Log> {
  const plain = pino.destination({ dest: STANDARD_OUTPUT, sync: false, maxLength: MAX_BYTES });
  // Standard output is gone, and there is nobody else to tell of it.
  plain.on('error', () => {});
  let journal: Journal | undefined;
  let why: unknown;
  try {
    if (isJournal(STANDARD_ERROR, env)) journal = await Journal.open(journalPath);
  } catch (failure) {
    why = failure;
  }
  const write = (line: string) => {
    try {
      if (journal) {
        journal.send(entryOf(line));
        return;
      }
    } catch {
      // journald is gone, or has no room: what it did not take follows, and journald has the other end of that too.
    }
    plain.write(line);
  };
  const log = pino({ name: IDENTIFIER, level }, { write });
  const always = pino({ name: IDENTIFIER, level: 'info' }, { write });
  if (why !== undefined) log.warn({ err: why }, 'the journal is written to as to any standard output');
  const end = async () => {
    journal?.close();
    journal = undefined;
    const closed = once(plain, 'close').then(
      () => true,
      () => true,
    );
    plain.end();
    if (await Promise.race([closed, setTimeout(FLUSH_MS, false)])) return;
    // Or else pino flushes it when the process exits, and waits for whoever does not read.
    plain.flushSync = () => {};
  };
  return { log, say: (text) => always.info(text), end };
}
