/**
 * QEMU's monitor protocol (QMP), as far as the tests need it: JSON, one object a line; an answer has the id
 * of its command.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** An error that QEMU returned. */
export class QmpError extends Error {
  readonly class: string;
  constructor(command: string, { class: kind, desc }: { class: string; desc: string }) {
    super(`${command}: ${desc}`);
    this.class = kind;
  }
}

interface Waiting {
  readonly command: string;
  resolve(value: unknown): void;
  reject(reason: Error): void;
}

/** Emits each event of QEMU under its name, with its data, such as `DEVICE_DELETED`. */
export class Qmp extends EventEmitter {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #ended: Error | undefined;

  private constructor(socket: Socket) {
    super();
    this.#socket = socket;
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => this.#receive(JSON.parse(line)));
    lines.on('error', () => {}); // The socket's errors; its `close` event follows.
    socket.on('close', () => {
      this.#ended = new Error('QMP: QEMU has ended');
      for (const { reject } of this.#waiting.values()) reject(this.#ended);
      this.#waiting.clear();
    });
  }

  /**
   * Resolves once QEMU answers, when the machine with all its devices has been created.
   * @param socket QEMU's connection, owned by this object.
   */
  static async open(socket: Socket): Promise<Qmp> {
    const qmp = new Qmp(socket);
    // A thread of its own answers the first command. The main loop answers the second; it starts when the
    // devices have been created.
    await qmp.execute('qmp_capabilities');
    await qmp.execute('query-status');
    return qmp;
  }

  /** The result of a command. Rejects with QmpError if QEMU returns an error. */
  execute<T = unknown>(command: string, args: object = {}): Promise<T> {
    if (this.#ended) return Promise.reject(this.#ended);
    this.#last += 1;
    const id = this.#last;
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { command, resolve: resolve as (value: unknown) => void, reject });
    });
  }

  #receive(line: {
    id?: number;
    return?: unknown;
    error?: { class: string; desc: string };
    event?: string;
    data?: object;
  }): void {
    if (line.event !== undefined) this.emit(line.event, line.data ?? {});
    const waiting = this.#waiting.get(line.id ?? 0);
    if (!waiting) return;
    this.#waiting.delete(line.id ?? 0);
    if (line.error) waiting.reject(new QmpError(waiting.command, line.error));
    else waiting.resolve(line.return);
  }

  close(): void {
    this.#socket.destroy();
  }
}
