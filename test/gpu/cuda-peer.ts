/**
 * Drives cuda_peer.py: a process that uses CUDA, has no GPU memory except its imports, and has no connection
 * to the daemon. It inherits the fds of its grants as fd 3 and up, and releases everything when its input
 * ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { Connection, type OwnedFd, seqpacketPair } from '@vkmemd/proto';
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

/** Rounds that a semaphore orders, as cuda_peer.py describes them. */
interface Turns extends Range {
  /** The fd of the semaphore. */
  readonly semaphore: number;
  readonly rounds: number;
  readonly first: number;
  readonly step: number;
  readonly expected: number;
  readonly word: number;
}

/** Command -> [its arguments, its answer], as cuda_peer.py describes them. */
interface Commands {
  open: [{ uuid: string }, { driver: number }];
  adopt: [
    { fd?: number; size: number; dedicated?: boolean; mapped?: boolean },
    { importMs: number; mapMs: number },
  ];
  map: [{ fd?: number; size: number; access?: 'ro' | 'rw' }, { mapMs: number }];
  create: [{ fd?: number; size: number }, object];
  protect: [{ fd?: number; access: 'ro' | 'rw' }, object];
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
  semaphore: [{ fd: number; timeline?: boolean }, object];
  signal: [{ fd: number; value: number }, object];
  wait: [{ fd: number; value: number }, object];
  turns: [Turns, { wrong: number; ms: number }];
}

export class CudaPeer {
  readonly #input: Writable;
  readonly #lines: AsyncIterator<string>;
  readonly #exit: Promise<number | null>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, input: Writable, output: Readable) {
    this.#child = child;
    this.#input = input;
    this.#lines = createInterface({ input: output })[Symbol.asyncIterator]();
    this.#exit = new Promise((resolve) => child.once('close', resolve));
    // A peer that has ended is noticed by its missing answer.
    input.on('error', () => {});
  }

  /**
   * Starts one that creates memory of CUDA's own (cuMemCreate), and maps it.
   * @param size bytes, a multiple of 2 MiB.
   * @returns the peer, and the fd of the memory, which the caller owns.
   */
  static async creating(
    t: Test,
    deviceUuid: Uint8Array,
    size: number,
  ): Promise<{ readonly peer: CudaPeer; readonly fd: OwnedFd }> {
    const [ours, theirs] = seqpacketPair();
    const received = new Promise<OwnedFd>((resolve, reject) => {
      const connection = new Connection(
        ours,
        {
          message: (_, [fd]) => {
            if (fd) resolve(fd);
            connection.close();
          },
          close: () => reject(new Error('the CUDA process sent no fd')),
        },
        { maxFds: 1 },
      );
      t.teardown(() => connection.close());
    });
    received.catch(() => {}); // the peer's own error comes first
    const peer = await CudaPeer.start(t, deviceUuid, [theirs]);
    await peer.ask('create', { size });
    return { peer, fd: await received };
  }

  /**
   * Starts it on the device with this UUID. It ends with the test at the latest.
   * @param deviceUuid 16 bytes, as Vulkan reports them; CUDA's are the same.
   * @param fds closed here once the peer has inherited them.
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
    t.teardown(() => peer.kill());
    await peer.ask('open', { uuid: Buffer.from(deviceUuid).toString('hex') });
    return peer;
  }

  /**
   * Sends one command, when no other is in progress. @throws Error with CUDA's error, or if the peer has
   * ended.
   */
  async ask<C extends keyof Commands>(command: C, request: Commands[C][0]): Promise<Commands[C][1]> {
    const fd = command === 'open' ? {} : { fd: FIRST_FD };
    this.#input.write(`${JSON.stringify({ do: command, ...fd, ...request })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the CUDA process ended during ${command}`);
    const { ok, error } = JSON.parse(value);
    if (error) throw new Error(`the CUDA process: ${error}`);
    return ok;
  }

  /** Ends it by SIGKILL, as after an error of CUDA that its context does not survive. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  /** Makes it release everything and end. @throws Error if it ends with an error. */
  async end(): Promise<void> {
    this.#input.end();
    const code = await this.#exit;
    if (code !== 0) throw new Error(`the CUDA process ended with ${code}`);
  }
}
