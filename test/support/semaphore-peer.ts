/** Drives test/native/semaphore-peer.c: a process that imports a semaphore into a Vulkan device of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { OwnedFd } from '@vkmemd/proto';
import type { Test } from 'tap';
import { plainEnvironment, root } from './daemon.js';

const PROGRAM = join(root, 'test/native/build/semaphore-peer');
/** Debian's chromium-common has it. */
export const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
/** Why no test can use SwiftShader here; false if it can. */
export const noSwiftShader = existsSync(SWIFTSHADER) ? false : `no ${SWIFTSHADER}: install chromium-common`;

export interface PeerOptions {
  readonly type: 'timeline' | 'binary' | 'sync';
  /** 16 bytes. */
  readonly deviceUuid: Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
}

export class SemaphorePeer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #exit: Promise<number | null>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>) {
    this.#child = child;
    this.#lines = lines;
    this.#exit = new Promise((resolve) => child.once('close', resolve));
  }

  /** Imports the semaphore. @param fd Closed here; undefined for a SYNC_FD that is none. */
  static async start(t: Test, { type, deviceUuid, env }: PeerOptions, fd?: OwnedFd): Promise<SemaphorePeer> {
    const own = { ...plainEnvironment(), ...env, ...(!fd && { VKMEMD_NO_FD: '1' }) };
    const child = spawn(PROGRAM, [type, Buffer.from(deviceUuid).toString('hex')], {
      stdio: ['pipe', 'pipe', 'inherit', ...(fd ? [fd.fd] : [])],
      env: own,
    });
    fd?.close();
    if (!child.stdout) throw new Error('the peer has no pipes');
    const peer = new SemaphorePeer(child, createInterface({ input: child.stdout })[Symbol.asyncIterator]());
    t.teardown(async () => {
      child.kill('SIGKILL');
      await peer.#exit;
    });
    const said = await peer.#next();
    if (said !== 'ready') throw new Error(`the peer said ${said}`);
    return peer;
  }

  async #next(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the peer has ended');
    return value;
  }

  #ask(line: string): Promise<string> {
    this.#child.stdin?.write(`${line}\n`);
    return this.#next();
  }

  /** Whether its queue had the value within the time. After `false` it has ended. */
  async wait(value = 0n, milliseconds = 10_000): Promise<boolean> {
    return (await this.#ask(`wait ${value} ${milliseconds}`)) === 'signalled';
  }

  /** Its queue signals. */
  async signal(value = 0n): Promise<void> {
    const said = await this.#ask(`signal ${value}`);
    if (said !== 'done') throw new Error(`the peer could not signal: ${said}`);
  }

  /** The counter of the timeline as it sees it. */
  async value(): Promise<bigint> {
    return BigInt(await this.#ask('value'));
  }

  /** @throws Error if it ends with an error. */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    const code = await this.#exit;
    if (code !== 0) throw new Error(`the peer ended with ${code}`);
  }
}
