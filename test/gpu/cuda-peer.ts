/**
 * Drives cuda_peer.py: a process that uses CUDA, has no GPU memory but what it imports, and knows nothing of
 * the daemon. It inherits the fds of its grants as fd 3 and up, and lets everything go when its input ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { OwnedFd } from '@vkmemd/proto';
import type { Test } from 'tap';
import { plainEnvironment, root } from '../support/daemon.js';

/** The first of the inherited fds. */
export const FIRST_FD = 3;

/** A range of an import. Bytes. */
interface Range {
  readonly fd?: number;
  readonly offset: number;
  readonly size: number;
}

/** The n-th stride holds the word plus n. */
interface Paint extends Range {
  readonly stride: number;
  readonly word: number;
}

/** Command -> [what it takes, what it answers], as cuda_peer.py describes them. */
interface Commands {
  open: [{ uuid: string }, { driver: number }];
  adopt: [
    { fd?: number; size: number; dedicated?: boolean; mapped?: boolean },
    { importMs: number; mapMs: number },
  ];
  image: [
    { fd?: number; width: number; height: number },
    { width: number; height: number; channels: number },
  ];
  paint: [Paint, object];
  check: [Paint, { wrong: number }];
  digest: [Range, { sha256: string }];
  work: [Range & { forMs: number }, { rounds: number; wrong: number; lastMs: number }];
  bandwidth: [{ fd?: number; runs: number; copies: number }, { importedMs: number; nativeMs: number }];
  close: [{ fd?: number }, object];
}

export class CudaPeer {
  readonly #input: Writable;
  readonly #lines: AsyncIterator<string>;
  readonly #exit: Promise<number | null>;

  private constructor(child: ChildProcess, input: Writable, output: Readable) {
    this.#input = input;
    this.#lines = createInterface({ input: output })[Symbol.asyncIterator]();
    this.#exit = new Promise((resolve) => child.once('close', resolve));
    // A peer that has died is seen by the answer that does not come.
    input.on('error', () => {});
  }

  /**
   * Starts it on the device with this UUID. It has ended when the test does, whatever happens.
   * @param deviceUuid 16 bytes, as Vulkan says them; CUDA's are the same.
   * @param fds Closed here once it has inherited them.
   */
  static async start(t: Test, deviceUuid: Uint8Array, fds: readonly OwnedFd[] = []): Promise<CudaPeer> {
    const child = spawn('python3', [join(root, 'test/gpu/cuda_peer.py')], {
      stdio: ['pipe', 'pipe', 'inherit', ...fds.map(({ fd }) => fd)],
      env: plainEnvironment(),
    });
    for (const fd of fds) fd.close();
    const { stdin, stdout } = child;
    if (!stdin || !stdout) throw new Error('the peer has no pipes');
    const peer = new CudaPeer(child, stdin, stdout);
    t.teardown(async () => {
      child.kill('SIGKILL');
      await peer.#exit;
    });
    await peer.ask('open', { uuid: Buffer.from(deviceUuid).toString('hex') });
    return peer;
  }

  /** Asks for one thing; nothing else may be under way. @throws Error what CUDA said, or that it has died. */
  async ask<C extends keyof Commands>(command: C, request: Commands[C][0]): Promise<Commands[C][1]> {
    const fd = command === 'open' ? {} : { fd: FIRST_FD };
    this.#input.write(`${JSON.stringify({ do: command, ...fd, ...request })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the CUDA process died during ${command}`);
    const { ok, error } = JSON.parse(value);
    if (error) throw new Error(`the CUDA process: ${error}`);
    return ok;
  }

  /** Lets it free everything and end. @throws Error where it does not end well. */
  async end(): Promise<void> {
    this.#input.end();
    const code = await this.#exit;
    if (code !== 0) throw new Error(`the CUDA process ended with ${code}`);
  }
}
