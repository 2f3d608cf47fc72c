/**
 * The daemon's log. Where standard error is the journal, it is written by the journal's own protocol;
 * otherwise, and where the journal does not receive an entry, it is written as lines of JSON to standard
 * output, which has nothing else.
 *
 * The log waits for no reader.
 */
import { pino } from 'pino';
import { entryOf, IDENTIFIER, isJournal, Journal } from './journal.js';
import { StandardOutput } from './standard-output.js';

const STANDARD_ERROR = 2;

export interface Log {
  readonly log: pino.Logger;
  /** Logs a text at every level. */
  say(text: string): void;
  /** Ends the log; resolves when it is written, or its reader has not read it for half a second. */
  end(): Promise<void>;
}

/**
 * @param level pino's.
 * @param journalPath journald's socket. Default: JOURNAL_SOCKET.
 */
export async function openLog(level: string, env: NodeJS.ProcessEnv, journalPath?: string): Promise<Log> {
  const output = new StandardOutput();
  let journal: Journal | undefined;
  let openFailure: unknown;
  try {
    if (isJournal(STANDARD_ERROR, env)) journal = await Journal.open(journalPath);
  } catch (failure) {
    openFailure = failure;
  }
  const write = (line: string) => {
    try {
      if (journal) {
        journal.send(entryOf(line));
        return;
      }
    } catch {
      // journald has ended, or its queue is full: this line goes to standard output, which systemd connects to journald too.
    }
    output.write(line);
  };
  const log = pino({ name: IDENTIFIER, level }, { write });
  const always = pino({ name: IDENTIFIER, level: 'info' }, { write });
  if (openFailure !== undefined) {
    log.warn({ err: openFailure }, 'the journal cannot be opened: the log goes to standard output');
  }
  const end = async () => {
    journal?.[Symbol.dispose]();
    journal = undefined;
    await output[Symbol.asyncDispose]();
  };
  return { log, say: (text) => always.info(text), end };
}
