/** The process that imports what the daemon granted (importer.ts), for one driver. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Connection, type OwnedFd, seqpacketPair } from '@vkmemd/proto';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import { writeBigint } from './bigint-json.js';
import type { Answer, Seen, Wanted } from './importer.js';

const PROGRAM = fileURLToPath(new URL('./importer.js', import.meta.url));

export class Peer {
  readonly #child: ChildProcess;
  readonly #connection: Connection;
  /** How it ended: its exit code or signal, with what it printed. */
  readonly #ended: Promise<string>;
  #answered: (answer: Answer) => void = () => {};

  /** @param files The ICD manifests of the driver, for $VK_DRIVER_FILES. */
  constructor(files: string) {
    const [own, its] = seqpacketPair();
    const env = { ...plainEnvironment(), VK_DRIVER_FILES: files };
    this.#child = spawn(...plainNode([PROGRAM]), { env, stdio: ['ignore', 'ignore', 'pipe', its.fd] });
    its.close();
    let said = '';
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve([code ?? signal, said.trim()].join(' ').trim()));
    });
    const message = (data: Buffer) => this.#answered(JSON.parse(data.toString()) as Answer);
    this.#connection = new Connection(own, { message, close: () => {} });
  }

  /**
   * Imports the fd, which stays the caller's. One at a time.
   * @throws Error if the import fails, or the process has ended.
   */
  async look(fd: OwnedFd, wanted: Wanted): Promise<Seen> {
    const answered = new Promise<Answer>((resolve) => {
      this.#answered = resolve;
    });
    this.#connection.send(Buffer.from(JSON.stringify(wanted, writeBigint)), [fd]);
    const ended = this.#ended.then((how) => ({ failure: `it ended with ${how}` }));
    const answer = await Promise.race([answered, ended]);
    if ('failure' in answer) throw new Error(`the importer failed: ${answer.failure}`);
    return answer.seen;
  }

  /** Ends it. @throws Error if it did not exit with 0. */
  async close(): Promise<void> {
    this.#connection.close();
    const how = await this.#ended;
    if (how !== '0') throw new Error(`the importer ended with ${how}`);
  }
}
