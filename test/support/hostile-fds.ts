/**
 * A client that sends files whose close() blocks: hostile_fds.py, which runs as a process of its own, because
 * the process that closes such a file last may block, which the daemon must not.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type CONTROL_SOCKET, type Decoded, type Draft, decode, encode, HANDOFF_SOCKET } from '@vkmemd/proto';
import type { Test } from 'tap';
import { setpriv } from './as-user.js';
import { root } from './daemon.js';

const PROGRAM = join(root, 'test/support/hostile_fds.py');

/** Messages with their sequence numbers. The last one announces one fd, unless it sets another count. */
export function datagramsOf(...bodies: readonly Draft<'ClientMessage'>[]): Uint8Array[] {
  return bodies.map((body, index) =>
    encode('ClientMessage', {
      sequence: BigInt(index + 1),
      fdCount: index === bodies.length - 1 ? 1 : 0,
      ...body,
    }),
  );
}

export interface Hostility {
  /** A TCP socket with SO_LINGER and data that is never read, or a file whose server answers only itself. */
  readonly file: 'lingering' | 'fuse';
  readonly datagrams: readonly Uint8Array[];
  /** The number of connections that send. Default 1. */
  readonly count?: number;
  /** Whether it closes the connection at once. Default false. */
  readonly leave?: boolean;
  /** Default: this process's user. */
  readonly uid?: number;
  readonly socket?: typeof HANDOFF_SOCKET | typeof CONTROL_SOCKET;
}

export class HostileClient {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#ended = once(child, 'close');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /**
   * Opens the files, or returns the reason why the machine has none. The process ends with the test at the
   * latest.
   */
  static async start(t: Test, runtimeDir: string, hostility: Hostility): Promise<HostileClient | string> {
    const { file, datagrams, count = 1, leave = false, socket = HANDOFF_SOCKET, uid } = hostility;
    const program = [
      'python3',
      PROGRAM,
      file,
      join(runtimeDir, socket),
      String(count),
      leave ? 'leave' : 'stay',
    ];
    const user = uid === undefined ? [] : setpriv({ uid, gid: uid, groups: [] });
    const mount = file === 'fuse' ? ['unshare', '--mount', '--propagation', 'private'] : [];
    const command = [...mount, ...user, ...program];
    const hex = datagrams.map((datagram) => Buffer.from(datagram).toString('hex'));
    // Another user may not have the first python3 of this one's path.
    const env = uid === undefined ? process.env : { ...process.env, PATH: '/usr/bin:/bin' };
    const child = spawn(command[0] ?? '', [...command.slice(1), ...hex], { env });
    child.stdin.on('error', () => {}); // It may have ended before the line is sent.
    const client = new HostileClient(child);
    t.teardown(() => client.end());
    const first = await client.next();
    return first === 'ready' ? client : `no file of ${file} here: ${first}`;
  }

  /** The next line that it prints; undefined where it has ended. */
  async next(): Promise<string | undefined> {
    const { done, value } = await this.#lines.next();
    return done ? undefined : value;
  }

  /**
   * Sends while the daemon is stopped, so that the daemon is the last to close the files.
   * @returns 'sent', or the error of the send.
   */
  async send(pid: number): Promise<string | undefined> {
    process.kill(pid, 'SIGSTOP');
    try {
      this.#child.stdin.write('go\n');
      return await this.next();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  /** Sends while what receives does not read, for the same reason. @returns as send(). */
  async sendNow(): Promise<string | undefined> {
    this.#child.stdin.write('go\n');
    return await this.next();
  }

  /** The daemon's next message; undefined where the daemon has closed the connection. */
  async answer(): Promise<Decoded<'ServerMessage'> | undefined> {
    const line = await this.next();
    return line === undefined || line === 'over'
      ? undefined
      : decode('ServerMessage', Buffer.from(line, 'hex'));
  }

  /** Ends the process. A close() of its files then returns. */
  async end(): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }
}
