/**
 * Qmp: a connection to a virtual machine monitor with the QEMU Machine Protocol (QMP), on its Unix socket.
 *
 * Send one command at a time, and wait for its answer before the next: QEMU associates an fd with the command
 * whose bytes it arrived with. An answer is matched by its id. Events may arrive at any time; call event()
 * before the command that causes the event. Invalid, oversized and late messages fail with VMM_REFUSED.
 *
 * Limits: a monitor serves one connection at a time; connecting to a busy monitor fails when no greeting
 * arrives in time.
 */
import {
  type CloseReason,
  closeAll,
  DisposableStack,
  FdStream,
  isKernelError,
  type OwnedFd,
  openStream,
  type PeerIdentity,
  readPeer,
  VkmemError,
} from '@vkmemd/proto';

const ANSWER_MS = 10_000;
const MAX_BYTES = 1 << 24;

type Fields = Readonly<Record<string, unknown>>;

interface Waiter {
  /** Whether it matches the message. */
  matches(message: Fields): boolean;
  resolve(message: Fields): void;
  reject(failure: VkmemError): void;
}

export class Qmp {
  /** The process that listens on the socket. The Qmp owns its pidfd. */
  readonly peer: PeerIdentity;
  readonly #path: string;
  readonly #stream: FdStream;
  readonly #waiters = new Set<Waiter>();
  #text = '';
  #pieces = new TextDecoder();
  #nextId = 1;
  #drained = (): void => {};
  #end: VkmemError | undefined;

  private constructor(path: string) {
    this.#path = path;
    using opened = new DisposableStack();
    const socket = opened.use(openStream(path));
    this.peer = readPeer(socket.fd);
    opened.move();
    this.#stream = new FdStream(socket, {
      data: (bytes, fds) => this.#read(bytes, fds),
      drain: () => this.#drained(),
      close: (reason) => this.#fail(`the monitor closed the connection (${describe(reason)})`),
    });
  }

  /**
   * Connects, and waits until commands can be sent.
   * @throws VkmemError VMM_REFUSED if no process listens at the path, or it does not use QMP.
   */
  static async connect(path: string, timeoutMs = ANSWER_MS): Promise<Qmp> {
    let qmp: Qmp;
    try {
      qmp = new Qmp(path);
    } catch (failure) {
      if (!(failure instanceof VkmemError) && !isKernelError(failure)) throw failure;
      const reason = failure instanceof VkmemError ? failure.reason : `${failure.message}.`;
      throw new VkmemError('VMM_REFUSED', `${path}: ${reason}`, {}, failure as Error);
    }
    try {
      await qmp.#next((message) => 'QMP' in message, timeoutMs, 'a greeting');
      await qmp.execute('qmp_capabilities');
      return qmp;
    } catch (failure) {
      qmp.close();
      throw failure;
    }
  }

  /**
   * Executes a command.
   * @param fd Sent with the command; borrowed.
   * @returns The command's return value.
   * @throws VkmemError VMM_REFUSED with the monitor's error text, or if it does not answer.
   */
  async execute(command: string, fields: Fields = {}, fd?: OwnedFd): Promise<unknown> {
    const id = this.#nextId++;
    const answered = this.#next((message) => message.id === id, ANSWER_MS, `an answer to ${command}`);
    answered.catch(() => {}); // Thrown below, unless sending fails first.
    const bytes = Buffer.from(`${JSON.stringify({ execute: command, arguments: fields, id }, numbers)}\n`);
    for (let sent = this.#stream.send(bytes, fd); sent !== 'sent'; sent = this.#stream.send(bytes, fd)) {
      if (sent === 'dropped') this.#fail('the monitor no longer reads');
      if (this.#end) throw this.#end;
      const room = new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
      await Promise.race([room, answered]);
    }
    const { error, return: returned } = await answered;
    if (error === undefined) return returned;
    const description = (error as Fields | null)?.desc;
    const text = typeof description === 'string' ? printable(description).replace(/\.$/, '') : 'refused';
    throw new VkmemError('VMM_REFUSED', `${command}: ${text}.`, { command });
  }

  /**
   * Executes a command that returns a list of objects.
   * @throws VkmemError VMM_REFUSED, also if the command does not return such a list.
   */
  async list(command: string, fields: Fields = {}): Promise<Fields[]> {
    const returned = await this.execute(command, fields);
    const isList =
      Array.isArray(returned) && returned.every((one) => typeof one === 'object' && one !== null);
    if (isList) return returned as Fields[];
    throw new VkmemError('VMM_REFUSED', `${command}: the answer is not a list of objects.`, { command });
  }

  /**
   * Waits for the first event from now on that `wanted` accepts. Call it before the command that causes the
   * event.
   * @returns The data of the event.
   * @throws VkmemError VMM_REFUSED if the time is over or the connection has ended.
   */
  async event(name: string, wanted: (data: Fields) => boolean, timeoutMs: number): Promise<Fields> {
    const matches = ({ event, data }: Fields) => event === name && wanted((data ?? {}) as Fields);
    return ((await this.#next(matches, timeoutMs, name)).data ?? {}) as Fields;
  }

  /** Closes the connection. Pending calls are rejected. */
  close(): void {
    this.#fail('the connection was closed');
    this.peer.pidfd?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #next(matches: Waiter['matches'], timeoutMs: number, what: string): Promise<Fields> {
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          settle(value);
        };
      };
      const waiter: Waiter = { matches, resolve: settled(resolve), reject: settled(reject) };
      const late = () => waiter.reject(this.#refusal(`${what} did not arrive within ${timeoutMs} ms`));
      const timer = setTimeout(late, timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  #read(bytes: Buffer, fds: OwnedFd[]): void {
    closeAll(fds); // no command returns fds
    this.#text += this.#pieces.decode(bytes, { stream: true });
    if (this.#text.length > MAX_BYTES)
      this.#fail(`the monitor sent a line of more than ${MAX_BYTES} characters`);
    for (let end = this.#text.indexOf('\n'); end >= 0 && !this.#end; end = this.#text.indexOf('\n')) {
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      const message = parsed(line);
      if (message === undefined)
        this.#fail(`the monitor sent a line that is not a JSON object: ${JSON.stringify(line.slice(0, 60))}`);
      else for (const waiter of [...this.#waiters]) if (waiter.matches(message)) waiter.resolve(message);
    }
  }

  #refusal(what: string): VkmemError {
    return new VkmemError('VMM_REFUSED', `${this.#path}: ${what}.`);
  }

  #fail(what: string): void {
    if (this.#end) return;
    this.#end = this.#refusal(what);
    this.#stream.close();
    for (const waiter of [...this.#waiters]) waiter.reject(this.#end);
  }
}

/** Sizes are JSON numbers, which are exact up to 8 PiB. */
const numbers = (_key: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);

/** Removes control characters, which a terminal would interpret, and limits the length. */
const printable = (text: string): string => text.replace(/\p{Cc}+/gu, ' ').slice(0, 500);

const describe = (reason: CloseReason): string => (reason.kind === 'error' ? reason.message : reason.kind);

/** Parses a message. Undefined if it is not a JSON object, as all messages of the protocol are. */
function parsed(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Fields)
      : undefined;
  } catch {
    return undefined;
  }
}
