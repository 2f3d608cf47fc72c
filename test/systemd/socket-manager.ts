/** A daemon that inherits its sockets: socket_manager.py listens, and starts daemons one after the other. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import {
  daemonProgram,
  driverUnderTest,
  plainEnvironment,
  plainNode,
  root,
  startLineOf,
  temporaryFolder,
} from '../support/daemon.js';

const PROGRAM = join(root, 'test/systemd/socket_manager.py');

export interface PassedSocket {
  readonly name: string;
  readonly type: 'seqpacket' | 'stream' | 'idle' | 'dgram' | 'file';
  /** Relative to the folder. */
  readonly file: string;
}

export const BOTH: readonly PassedSocket[] = [
  { name: 'handoff', type: 'seqpacket', file: 'handoff.sock' },
  { name: 'control', type: 'stream', file: 'control.sock' },
];

export interface ManagerOptions {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export class SocketManager {
  /** The folder of the sockets. */
  readonly folder: string;
  /** The daemons' own folder. */
  readonly state: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  #arrived: () => void = () => {};
  #log = '';
  #pid = 0;

  /** Listens without starting a daemon. Everything ends with the test. */
  constructor(
    t: Test,
    sockets: readonly PassedSocket[] = BOTH,
    { args = [], env = {} }: ManagerOptions = {},
  ) {
    this.folder = temporaryFolder(t);
    this.state = join(this.folder, 'state');
    mkdirSync(this.state);
    const daemon = [daemonProgram, '--runtime-dir', this.state, '--config', '/dev/null', ...args];
    const [file, before] = plainNode(daemon);
    const reported = {
      sockets: sockets.map(({ file, ...rest }) => ({ ...rest, path: join(this.folder, file) })),
      command: [file, ...before],
      environment: { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest(), ...env },
    };
    this.#child = spawn('python3', [PROGRAM, JSON.stringify(reported)]);
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const said = line.startsWith('{') ? startLineOf(line) : line;
      if (said === undefined) {
        this.#log += `${line}\n`;
        return;
      }
      this.#lines.push(said);
      this.#arrived();
    });
    const over = new Promise((resolve) => this.#child.once('close', resolve));
    t.teardown(async () => {
      this.#child.stdin.end();
      await over;
    });
  }

  /** The daemons' log so far. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#pid;
  }

  /** Resolves when the sockets exist. */
  async listening(): Promise<void> {
    await this.#next(/^listening$/);
  }

  /** Starts a daemon. Resolves to its start line; throws if it ended before. */
  async start(): Promise<string> {
    this.#child.stdin.write('\n');
    this.#pid = Number((await this.#next(/^started (\d+)$/))[1]);
    const [line, status] = await this.#next(/^vkmemd .* ready: .*|^ended (-?\d+)$/);
    if (status !== undefined) throw new Error(`the daemon ended with ${status}: ${this.#log}`);
    return line;
  }

  /** Sends the daemon a signal. Resolves to its exit status, negative for the signal that ended it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    process.kill(this.#pid, signal);
    return this.ended();
  }

  async ended(): Promise<number> {
    return Number((await this.#next(/^ended (-?\d+)$/))[1]);
  }

  /** The next line, which must match. */
  async #next(expected: RegExp): Promise<RegExpExecArray> {
    while (this.#lines.length === 0) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    const line = this.#lines.shift() ?? '';
    const found = expected.exec(line);
    if (!found) throw new Error(`${line} is not ${expected}; the log: ${this.#log}`);
    return found;
  }
}
