/**
 * Soft-RoCE in a guest, and the program of examples/rdma on it. A device of this kind needs nothing but a network
 * interface; its peer is the same device, or that of another guest.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { OwnedFd } from '@vkmemd/proto';
import type { Test } from 'tap';
import { root } from '../support/daemon.js';
import { runProgram } from '../support/program.js';
import './guest.js';
import { must, type Outcome } from './installed.js';
import type { Pattern } from './pattern.js';

const PROGRAM = join(root, 'examples/rdma/build/rdma');
export const HOST = '10.77.0.1';
export const DEVICE = 'rxe_lab';
const INTERFACE = 'lab0';

/** Adds the device, over an interface of its own; both are removed at the end. */
export function softRoce(t: Test): void {
  must('ip', 'link', 'add', INTERFACE, 'type', 'dummy');
  t.teardown(() => must('ip', 'link', 'delete', INTERFACE));
  softRoceOver(t, INTERFACE, HOST);
}

/** Adds the device over an interface, with an address; it is removed at the end. */
export function softRoceOver(t: Test, netdev: string, address: string): void {
  must('modprobe', 'rdma_rxe');
  must('ip', 'address', 'add', `${address}/24`, 'dev', netdev);
  must('ip', 'link', 'set', netdev, 'up');
  must('rdma', 'link', 'add', DEVICE, 'type', 'rxe', 'netdev', netdev);
  t.teardown(() => must('rdma', 'link', 'delete', DEVICE));
}

/** `rdma serve`, of memory behind an fd. */
export class Served {
  readonly #child: ChildProcess;
  readonly ended: Promise<Outcome>;
  #stdout = '';
  #stderr = '';
  #heard: (() => void) | undefined;
  #hasEnded = false;

  /** @param fd Borrowed. @param before What the program is started by, for example prlimit(1). */
  constructor(
    t: Test,
    fd: OwnedFd,
    bytes: number,
    options: readonly string[] = [],
    before: readonly string[] = [],
  ) {
    const command = [...before, PROGRAM, 'serve', '--fd', '3', '--bytes', String(bytes), ...options];
    const [program = '', ...args] = command;
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe', fd.fd] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#heard?.();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.ended = new Promise((resolve) => {
      const end = (status: number | null) => {
        this.#hasEnded = true;
        resolve({ status, stdout: this.#stdout, stderr: this.#stderr });
        this.#heard?.();
      };
      this.#child.once('close', end);
      this.#child.once('error', (failure) => {
        this.#stderr += `${failure.message}: npm run setup builds it`;
        end(null);
      });
    });
    t.teardown(() => this.kill());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits until it has registered the memory. @throws Error with its messages if it ends instead. */
  async registered(): Promise<void> {
    while (!this.#stdout.includes('registered ')) {
      if (this.#hasEnded) throw new Error(`rdma serve: ${this.#stderr.trim()}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  /** Deregisters the memory, and ends. */
  close(): Promise<Outcome> {
    this.#child.stdin?.end();
    return this.ended;
  }

  kill(): Promise<Outcome> {
    this.#child.kill('SIGKILL');
    return this.ended;
  }
}

/**
 * A peer that writes into, or reads, what is served. Not sync: it must not hold up this process's fds.
 * @param options More options of the program. @param before What it is started by.
 */
export async function peer(
  verb: 'read' | 'write',
  bytes: number,
  { first, step }: Pattern,
  host = HOST,
  options: readonly string[] = [],
  before: readonly string[] = [],
): Promise<Outcome> {
  const pattern = ['--pattern', String(first), '--step', String(step)];
  const command = [...before, PROGRAM, verb, host, '--bytes', String(bytes), ...pattern, ...options];
  const [program = '', ...args] = command;
  const { code: status, stdout, stderr } = await runProgram(program, args);
  return { status, stdout, stderr };
}
