/**
 * The daemon's log. If standard error is connected to the journal, lines are sent by the journal's native
 * protocol. Otherwise, and if the journal does not receive an entry, they are written as JSON to standard
 * output, which is used for nothing else.
 *
 * The log never waits for its reader.
 */
import { pino } from 'pino';
import { entryOf, IDENTIFIER, isJournal, Journal } from './journal.js';
import { loggedError } from './logged-error.js';
import { StandardOutput } from './standard-output.js';

const STANDARD_ERROR = 2;

export interface Log {
  readonly log: pino.Logger;
  /** Logs a text regardless of the log level. */
  say(text: string): void;
  /** Ends the log. Resolves when it is written, or after half a second if its reader does not read. */
  end(): Promise<void>;
}

/**
 * @param level A level of pino.
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
      // journald has ended, or its queue is full. Standard output is connected to journald as well.
    }
    output.write(line);
  };
  const serializers = { err: loggedError };
  const log = pino({ name: IDENTIFIER, level, serializers }, { write });
  const always = pino({ name: IDENTIFIER, level: 'info' }, { write });
  if (openFailure !== undefined) {
    log.warn({ err: openFailure }, 'the journal cannot be opened: logging to standard output');
  }
  const end = async () => {
    journal?.[Symbol.dispose]();
    journal = undefined;
    await output[Symbol.asyncDispose]();
  };
  return { log, say: (text) => always.info(text), end };
}
