/** A tenant: another user's process with a session of the daemon. It executes commands one line at a time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { plainEnvironment, plainNode } from './daemon.js';

/** How a request of a tenant ended: its answer, or its error. 64-bit numbers are texts. */
export interface TenantAnswer {
  readonly id?: string;
  readonly freed?: boolean;
  readonly code?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly quota?: {
    readonly heaps: readonly Readonly<Record<string, string>>[];
    readonly [count: string]: unknown;
  };
}

/** Makes the daemon's sockets accessible to every user. The policy decides who may connect. */
export function openToAll(runtimeDir: string): void {
  chmodSync(runtimeDir, 0o755);
  for (const socket of ['handoff.sock', 'control.sock']) chmodSync(join(runtimeDir, socket), 0o666);
}

export class Tenant {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #gone: Promise<string>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (!child.stdout) throw new Error('a tenant without output');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#gone = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(`${code ?? signal}`));
    });
  }

  /** Starts the process as that user. Resolves when its session is open, to the session or to the error. */
  static async start(t: Test, runtimeDir: string, uid: number): Promise<Tenant & { refused?: TenantAnswer }> {
    const program = fileURLToPath(new URL('tenant-program.js', import.meta.url));
    const child = spawn(...plainNode([program, runtimeDir]), {
      uid,
      gid: uid,
      env: plainEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const tenant = new Tenant(child);
    t.teardown(() => tenant.kill());
    const hello = await tenant.#next();
    return hello.code === undefined ? tenant : Object.assign(tenant, { refused: hello });
  }

  /** Allocates this many bytes in all; with a name, as NAMED memory. */
  allocate(sizeBytes: bigint, name = ''): Promise<TenantAnswer> {
    return this.#ask(['allocate', String(sizeBytes), name]);
  }

  /** The same without waiting: the answers, in the order of arrival. */
  async allocateAtOnce(...sizes: readonly bigint[]): Promise<TenantAnswer[]> {
    const first = await this.#ask(['together', ...sizes.map(String)]);
    const answers = [first];
    while (answers.length < sizes.length) answers.push(await this.#next());
    return answers;
  }

  free(id: string): Promise<TenantAnswer> {
    return this.#ask(['free', id]);
  }

  /** By gRPC: reads its own quota, or another user's. */
  quota(uid = ''): Promise<TenantAnswer> {
    return this.#ask(['quota', uid]);
  }

  /** By gRPC: tries to list all quotas, and to change its own. */
  overreach(what: 'list' | 'set'): Promise<TenantAnswer> {
    return this.#ask([what]);
  }

  /** Resolves when the process has ended. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  #ask(words: readonly string[]): Promise<TenantAnswer> {
    this.#child.stdin?.write(`${JSON.stringify(words)}\n`);
    return this.#next();
  }

  async #next(): Promise<TenantAnswer> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the tenant ended with ${await this.#gone}`);
    return JSON.parse(value) as TenantAnswer;
  }
}
