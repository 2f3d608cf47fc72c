/**
 * Standard output as the destination of a log. It never waits for its reader: MAX_BYTES are buffered, and
 * lines beyond that are dropped. The daemon and the supervisor use it.
 */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { type DestinationStream, pino } from 'pino';

const STANDARD_OUTPUT = 1;
const MAX_BYTES = 1 << 20;
const FLUSH_MS = 500;

export class StandardOutput implements DestinationStream, AsyncDisposable {
  readonly #destination = pino.destination({ dest: STANDARD_OUTPUT, sync: false, maxLength: MAX_BYTES });

  constructor() {
    // Standard output is closed (EPIPE). This cannot be logged elsewhere, and must not end the process.
    this.#destination.on('error', () => {});
  }

  write(line: string): void {
    this.#destination.write(line);
  }

  /** Ends the log. Resolves when the buffer is written, or after FLUSH_MS if its reader does not read. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#destination, 'close').then(
      () => true,
      () => true,
    );
    this.#destination.end();
    if (await Promise.race([closed, setTimeout(FLUSH_MS, false)])) return;
    // Otherwise pino flushes the buffer synchronously when the process exits, and blocks if no process reads it.
    this.#destination.flushSync = () => {};
  }
}
