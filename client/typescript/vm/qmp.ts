/**
 * Qmp: a conversation with a virtual machine monitor by QEMU's machine protocol, on its Unix socket.
 *
 * One command at a time, each answered before the next is sent: QEMU gives an fd to the command whose bytes
 * it came with. The answer is known by its id; events come between, and a caller waits for one before causing
 * it. What the other side says wrong, too much, too late or not at all ends the conversation, with
 * VMM_REFUSED.
 *
 * Limits: a monitor serves one conversation at a time, so a second one waits for its greeting until its time
 * is over.
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
  /** Who listened on the socket, its pidfd included; the conversation's. */
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
      close: (reason) => this.#fail(`it hung up (${describe(reason)})`),
    });
  }

  /**
   * Connects, and waits until commands may be sent.
   * @throws VkmemError VMM_REFUSED where nobody listens there, or not a monitor that speaks QMP.
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
   * Has one command done.
   * @param fd goes with it; borrowed.
   * @returns what it returns. @throws VkmemError VMM_REFUSED with the monitor's own words, or where it does
   *   not answer.
   */
  async execute(command: string, fields: Fields = {}, fd?: OwnedFd): Promise<unknown> {
    const id = this.#nextId++;
    const answered = this.#next((message) => message.id === id, ANSWER_MS, `an answer to ${command}`);
    answered.catch(() => {}); // Thrown below, unless sending fails first.
    const bytes = Buffer.from(`${JSON.stringify({ execute: command, arguments: fields, id }, numbers)}\n`);
    for (let sent = this.#stream.send(bytes, fd); sent !== 'sent'; sent = this.#stream.send(bytes, fd)) {
      if (sent === 'dropped') this.#fail('it reads no more');
      if (this.#end) throw this.#end;
      const room = new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
      await Promise.race([room, answered]);
    }
    const { error, return: returned } = await answered;
    if (error === undefined) return returned;
    const said = (error as Fields | null)?.desc;
    const words = typeof said === 'string' ? printable(said).replace(/\.$/, '') : 'refused';
    throw new VkmemError('VMM_REFUSED', `${command}: ${words}.`, { command });
  }

  /**
   * The same of a command that returns a list of objects.
   * @throws VkmemError VMM_REFUSED, also where it returns none.
   */
  async list(command: string, fields: Fields = {}): Promise<Fields[]> {
    const returned = await this.execute(command, fields);
    const isList =
      Array.isArray(returned) && returned.every((one) => typeof one === 'object' && one !== null);
    if (isList) return returned as Fields[];
    throw new VkmemError('VMM_REFUSED', `${command}: the answer is no list.`, { command });
  }

  /**
   * The first event, from now on, that `wanted` says yes to. To be called before what causes it.
   * @returns its data. @throws VkmemError VMM_REFUSED where the time is over, or the conversation.
   */
  async event(name: string, wanted: (data: Fields) => boolean, timeoutMs: number): Promise<Fields> {
    const matches = ({ event, data }: Fields) => event === name && wanted((data ?? {}) as Fields);
    return ((await this.#next(matches, timeoutMs, name)).data ?? {}) as Fields;
  }

  /** Closes the connection; callers that wait get an error. */
  close(): void {
    this.#fail('the conversation was ended here');
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
      const late = () => waiter.reject(this.#refusal(`${what} did not come within ${timeoutMs} ms`));
      const timer = setTimeout(late, timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  #read(bytes: Buffer, fds: OwnedFd[]): void {
    closeAll(fds); // none were asked for
    this.#text += this.#pieces.decode(bytes, { stream: true });
    if (this.#text.length > MAX_BYTES) this.#fail('it sends a line without an end');
    for (let end = this.#text.indexOf('\n'); end >= 0 && !this.#end; end = this.#text.indexOf('\n')) {
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      const message = parsed(line);
      if (message === undefined) this.#fail(`it said ${JSON.stringify(line.slice(0, 60))}`);
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

/** Sizes are JSON's numbers: exact up to 8 PiB. */
const numbers = (_key: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);

/** What somebody else says, without what a terminal would obey. */
const printable = (text: string): string => text.replace(/\p{Cc}+/gu, ' ').slice(0, 500);

const describe = (reason: CloseReason): string => (reason.kind === 'error' ? reason.message : reason.kind);

/** Undefined where it is no JSON object, as every message of the protocol is. */
function parsed(line: string): Fields | undefined {
  try {
    const said: unknown = JSON.parse(line);
    return typeof said === 'object' && said !== null && !Array.isArray(said) ? (said as Fields) : undefined;
  } catch {
    return undefined;
  }
}
