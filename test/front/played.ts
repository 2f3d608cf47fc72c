/**
 * A daemon in this process whose front is played by the test: it has the core's link, and may send what no
 * front would. The next one, after it was lost, is a real front, also in this process.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ADMIN_SOCKET,
  CONTROL_SOCKET,
  Connection,
  closeAll,
  type Decoded,
  type Draft,
  decode,
  encode,
  errorOf,
  type OwnedFd,
  openStream,
} from '@vkmemd/proto';
import { pino } from 'pino';
import type { Test } from 'tap';
import { startDaemon } from 'vkmemd';
import { startFrontHere } from 'vkmemd/dist/front/in-process.js';
import type { FrontInstance } from 'vkmemd/dist/link/front-instance.js';
import { driverUnderTest, temporaryFolder } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { assertNothingLeft } from './leftovers.js';
import { eventually, sleep, until } from './support.js';

type Message = Decoded<'ToFront'>;
export type Answer = Decoded<'Answer'>;

const kinds = ['KIND_MAPPABLE'] as const;

/** A caller that the core has passed: the front's end of the connection. */
export interface PlayedCaller {
  readonly number: bigint;
  readonly fd: OwnedFd;
}

/** One front that the test plays. */
export class PlayedFront {
  readonly callers: PlayedCaller[] = [];
  /** The answers of each call, in the order in which they came. */
  readonly answers: { readonly id: bigint; readonly answer: Answer }[] = [];
  /** The numbers of the callers that the core has ended. */
  readonly ended: bigint[] = [];
  /** Whether it answers pings. */
  alive: boolean;
  /** What the core sees of it. */
  scheduled: FrontInstance['scheduled'] | undefined;
  readonly #connection: Connection;
  readonly instance: FrontInstance;
  #id = 0n;
  #exit: (how: string) => void = () => {};

  constructor(link: OwnedFd, alive: boolean) {
    this.alive = alive;
    this.instance = {
      pid: undefined,
      exited: new Promise((resolve) => {
        this.#exit = resolve;
      }),
      kill: () => this.exit(),
      residentBytes: () => 0,
      scheduled: () => this.scheduled?.(),
    };
    this.#connection = new Connection(
      link,
      { message: (data, fds) => this.#receive(decode('ToFront', data), fds), close: () => this.exit() },
      { maxFds: 1, maxQueuedMessages: 100_000, maxQueuedBytes: 64 << 20 },
    );
  }

  /** Ends it, as a process that exits. */
  exit(): void {
    this.#connection.close();
    closeAll(this.callers.map(({ fd }) => fd));
    this.callers.length = 0;
    this.#exit('it was played');
  }

  /** Reads nothing more. */
  pause(): void {
    this.#connection.pause();
  }

  send(message: Draft<'ToCore'>, fds: OwnedFd[] = []): void {
    this.sendBytes(encode('ToCore', message), fds);
  }

  sendBytes(bytes: Uint8Array, fds: OwnedFd[] = []): void {
    this.#connection.send(bytes, fds);
  }

  /** Answers pings from now on, and the first one. */
  begin(): void {
    this.alive = true;
    this.send({ pong: {} });
  }

  /** Resolves when the core has read enough of what was sent. */
  async room(): Promise<void> {
    while (this.#connection.queuedMessages > 0) await sleep(1);
  }

  /** Sends a call with the next id. @returns the id. */
  call(caller: bigint, method: string, draft: Draft<'Call'> = {}): bigint {
    this.#id += 1n;
    this.send({ id: this.#id, call: { caller, method, ...draft } });
    return this.#id;
  }

  /** The answers of a call so far. */
  answersOf(id: bigint): Answer[] {
    return this.answers
      .filter(({ id: of, answer }) => of === id && !answer.begun)
      .map(({ answer }) => answer);
  }

  /** Resolves to the last answer of the call. */
  lastOf(id: bigint): Promise<Answer> {
    return eventually(`the answer of call ${id}`, () => this.answersOf(id).find(({ last }) => last));
  }

  /** The code of a call's failure; 'served'. */
  async outcome(id: bigint): Promise<string> {
    const { status } = await this.lastOf(id);
    return status ? errorOf(status).code : 'served';
  }

  /** Ends the connection of a caller, as if the caller had. */
  hangUp({ number, fd }: PlayedCaller): void {
    fd.close();
    this.callers.splice(
      this.callers.findIndex((each) => each.number === number),
      1,
    );
    this.send({ hangup: { number } });
  }

  #receive(message: Message, fds: OwnedFd[]): void {
    if (message.ping && this.alive) this.send({ id: message.id, pong: {} });
    const [fd] = fds;
    if (message.caller && fd) this.callers.push({ number: message.caller.number, fd });
    if (message.answer) this.answers.push({ id: message.id, answer: message.answer });
    if (message.callerGone) this.ended.push(message.callerGone.number);
  }
}

export interface PlayOptions {
  /** As TOML. */
  readonly policy?: string;
  readonly adminListen?: readonly string[];
  /** Whether the front begins to answer only later: until then it is not present. */
  readonly late?: boolean;
}

export class Play {
  readonly runtimeDir: string;
  /** The address of its TCP socket; undefined without one. */
  readonly tcp: string | undefined;
  readonly front: PlayedFront;
  readonly log: () => string;
  readonly #t: Test;
  readonly #clients: OwnedFd[] = [];
  readonly #starts: () => number;
  readonly #daemon: AsyncDisposable;

  private constructor(
    t: Test,
    daemon: AsyncDisposable & { startLine: string },
    made: { runtimeDir: string; front: PlayedFront; log: () => string; starts: () => number },
  ) {
    this.#t = t;
    this.#daemon = daemon;
    this.runtimeDir = made.runtimeDir;
    this.front = made.front;
    this.log = made.log;
    this.#starts = made.starts;
    this.tcp = /http:\/\/(\S+?);?( |$)/.exec(daemon.startLine)?.[1];
  }

  static async begin(
    t: Test,
    { policy = '', adminListen = [], late = false }: PlayOptions = {},
  ): Promise<Play> {
    process.env.VK_DRIVER_FILES ??= driverUnderTest();
    const runtimeDir = temporaryFolder(t);
    const config = join(temporaryFolder(t), 'policy.toml');
    writeFileSync(config, policy);
    let [text, starts] = ['', 0];
    let front: PlayedFront | undefined;
    const start = (link: OwnedFd, maxBytes: number): FrontInstance => {
      starts += 1;
      if (front) return startFrontHere(link, maxBytes);
      front = new PlayedFront(link, !late);
      return front.instance;
    };
    const write = (line: string): void => {
      text += line;
    };
    const log = pino({}, { write });
    const daemon = await startDaemon({ runtimeDir, policy: { config }, front: start, log, adminListen });
    if (!front) throw new Error('no front was started');
    return new Play(t, daemon, { runtimeDir, front, log: () => text, starts: () => starts });
  }

  /** A client connects, which sends nothing. Resolves to the caller, as the front has it. */
  async connect(plane: 'CONTROL' | 'ADMIN' = 'CONTROL'): Promise<PlayedCaller> {
    const { callers } = this.front;
    const before = callers.length;
    const socket = plane === 'CONTROL' ? CONTROL_SOCKET : ADMIN_SOCKET;
    this.#clients.push(openStream(join(this.runtimeDir, socket)));
    await until('the caller', () => callers.length > before);
    return callers.at(-1) as PlayedCaller;
  }

  /** Whether the front is still the one that the test plays. */
  get played(): boolean {
    return this.#starts() === 1;
  }

  /** Asserts that the handoff socket serves. */
  async assertHandoff(): Promise<void> {
    const wire = await HandoffWire.open(this.runtimeDir);
    const { message, fds } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds } });
    closeAll(fds);
    const id = message.allocate?.allocation?.id ?? '';
    const claimed = await wire.ask({ claim: { allocation: { id }, kinds } });
    this.#t.equal(claimed.fds.length, 1, 'the handoff socket serves');
    closeAll(claimed.fds);
    await wire.ask({ free: { allocation: { id } } });
    wire.close();
  }

  /** Resolves when the core has ended the front that the test plays. @param why in the log. */
  async assertLost(why: RegExp): Promise<void> {
    await until('the front is lost', () => !this.played);
    this.#t.match(this.log(), why);
  }

  /** Ends the front, if it is still there, and asserts that a real one serves, and that nothing is left. */
  async end(): Promise<void> {
    await this.assertHandoff();
    this.front.exit();
    for (const fd of this.#clients) fd.close();
    await until('another front', () => !this.played);
    await assertNothingLeft(this.#t, this.runtimeDir);
    await this.#daemon[Symbol.asyncDispose]();
  }
}
