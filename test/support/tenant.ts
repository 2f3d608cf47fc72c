/** Tenants: users other than the test's, each in a process of its own that executes the test's commands. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CONTROL_SOCKET,
  type Decoded,
  type Draft,
  HANDOFF_SOCKET,
  isErrorCode,
  VkmemError,
} from '@vkmemd/proto';
import type { Test } from 'tap';
import type { AllocationReport, Methods } from './control-wire.js';
import { plainEnvironment, plainNode } from './daemon.js';

/** A command to a tenant. */
export type Order =
  | { readonly ask: Draft<'ClientMessage'> }
  | { readonly call: keyof Methods; readonly request: object }
  | Attempts
  | { readonly watched: true }
  | { readonly end: true };

/** A ticket to present a number of times without waiting, and one to present immediately after. */
export interface Attempts {
  readonly attempts: number;
  readonly ticket: string;
  readonly then: string;
}

/** How often each answer came, and the metadata of the last refusal; undefined where the last was served. */
export interface Attempted {
  readonly answers: ReadonlyMap<string, number>;
  readonly last: Readonly<Record<string, string>> | undefined;
}

/** The result. */
export interface Answer {
  readonly message?: Decoded<'ServerMessage'>;
  readonly seen?: readonly Seen[];
  readonly answer?: unknown;
  readonly failure?: Pick<VkmemError, 'reason' | 'message' | 'next' | 'metadata'> & { code: string };
}

/** What a tenant can do with an fd: the bytes that it reads, and the ways of writing that are refused. */
export interface Seen {
  text: string;
  write: string;
  reopen: string;
}

/** Makes the sockets accessible to every user. The policy decides who may connect. */
export function openToAll(runtimeDir: string): void {
  chmodSync(runtimeDir, 0o755);
  for (const socket of [HANDOFF_SOCKET, CONTROL_SOCKET]) chmodSync(join(runtimeDir, socket), 0o666);
}

export class Tenant {
  readonly #child: ChildProcess;

  readonly #gone: Promise<never>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#gone = once(child, 'exit').then(() => {
      throw new Error('the tenant has ended');
    });
    // Pending requests are rejected.
    this.#gone.catch(() => {});
  }

  /** Opens a session as that user, and a watch of the allocations. It ends with end(), or with the test. */
  static async start(t: Test, runtimeDir: string, uid: number): Promise<Tenant> {
    const path = fileURLToPath(new URL('tenant-process.js', import.meta.url));
    const child = spawn(...plainNode([path, runtimeDir]), {
      uid,
      gid: uid,
      env: plainEnvironment(),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    t.teardown(() => child.kill('SIGKILL'));
    const tenant = new Tenant(child);
    await tenant.#answer();
    return tenant;
  }

  /** One request of its session. @throws VkmemError the error of the request. */
  async ask(
    body: Draft<'ClientMessage'>,
  ): Promise<{ message: Decoded<'ServerMessage'>; seen: readonly Seen[] }> {
    const { message, seen = [] } = await this.#order({ ask: body });
    if (!message) throw new Error('no message');
    return { message, seen };
  }

  /** One gRPC call. @throws VkmemError the error of the call. */
  async call<M extends keyof Methods>(
    method: M,
    request: Draft<Methods[M][1]>,
  ): Promise<Decoded<Methods[M][2]>> {
    const { answer } = await this.#order({ call: method, request: request as object });
    return answer as Decoded<Methods[M][2]>;
  }

  async attempt(attempts: number, ticket: string, then: string): Promise<Attempted> {
    return (await this.#order({ attempts, ticket, then })).answer as Attempted;
  }

  /** The events of its watch of the allocations so far. */
  async watched(): Promise<AllocationReport[]> {
    return (await this.#order({ watched: true })).answer as AllocationReport[];
  }

  async end(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.send({ end: true });
    await gone;
  }

  /** Commands run one at a time: answers are matched by their order. */
  async #order(order: Order): Promise<Answer> {
    const answered = this.#last.then(() => {
      this.#child.send(order);
      return this.#answer();
    });
    this.#last = answered.catch(() => {});
    const answer = await answered;
    const { failure } = answer;
    if (!failure) return answer;
    const { code, reason, metadata, next } = failure;
    if (!isErrorCode(code)) throw new Error(failure.message);
    throw new VkmemError(code, reason, { ...metadata }, undefined, next);
  }

  async #answer(): Promise<Answer> {
    const [answer] = await Promise.race([once(this.#child, 'message'), this.#gone]);
    return answer as Answer;
  }
}
