/**
 * A scripted daemon (a fake) that crashes and restarts exactly when a test requires it. It serves sessions,
 * allocations and grants on a handoff socket as docs/protocol.md describes, and keeps them over a crash, or
 * not.
 *
 * The memory is one file for each allocation, in its folder; /proc/self/maps shows what a client has mapped
 * of it.
 */
import { ftruncateSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  Connection,
  type Decoded,
  type Draft,
  decode,
  encode,
  HANDOFF_SOCKET,
  Listener,
  OwnedFd,
  PROTOCOL_VERSION,
  statusOf,
  VkmemError,
} from '@vkmemd/proto';
import type { Test } from 'tap';
import { temporaryFolder } from './daemon.js';

type Request = Decoded<'ClientMessage'>;
type Answer = { readonly body: Draft<'ServerMessage'>; readonly fds?: OwnedFd[] };

/**
 * What it does with a request: answers it, ignores it, or crashes before or after it was executed, without an
 * answer.
 */
export type Deed = 'answer' | 'ignore' | 'crash' | 'do-and-crash';

interface Session {
  readonly id: bigint;
  readonly grants: Map<bigint, string>;
  /** Allocation id -> the id of the request that created it. */
  readonly owned: Map<string, string>;
}

const BYTES = 65_536;

export class ScriptedDaemon {
  readonly runtimeDir: string;
  /** Called before each request, including Hello. */
  deed: (request: Request) => Deed = () => 'answer';
  /** Whether sessions survive a crash. */
  restores = true;
  /** The bodies of the requests received, and every Hello. */
  readonly seen: string[] = [];
  readonly hellos: Decoded<'Hello'>[] = [];
  readonly #t: Test;
  readonly #open = new Map<Connection, Session | undefined>();
  /** Token -> session. A session keeps every token that it ever had, because an answer may have been lost. */
  readonly #sessions = new Map<string, Session>();
  #listener: Listener | undefined;
  #starts = 0;
  #lastId = 0;

  /** Listens until the test ends. */
  constructor(t: Test) {
    this.#t = t;
    this.runtimeDir = temporaryFolder(t);
    this.start();
    t.teardown(() => this.crash());
  }

  /** Its current state. */
  get counts(): { sessions: number; allocations: number; grants: number } {
    const sessions = [...new Set(this.#sessions.values())];
    const sum = (of: (session: Session) => number) => sessions.reduce((all, each) => all + of(each), 0);
    const [allocations, grants] = [sum(({ owned }) => owned.size), sum((each) => each.grants.size)];
    return { sessions: sessions.length, allocations, grants };
  }

  get listening(): boolean {
    return this.#listener !== undefined;
  }

  /** The number of mappings of its memory in this process. */
  get mapped(): number {
    const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
    return maps.filter((line) => line.includes(`${this.runtimeDir}/memory-`)).length;
  }

  /** Starts as a new incarnation. */
  start(): void {
    this.#starts += 1;
    this.#listener = Listener.listen(
      { type: 'seqpacket', path: join(this.runtimeDir, HANDOFF_SOCKET) },
      {
        connection: (fd, { pidfd }) => {
          pidfd?.close();
          this.#accept(fd);
        },
        error: (error) => this.#t.fail(error),
      },
    );
  }

  /** Crashes at once, and removes its socket. */
  crash(): void {
    this.#listener?.close();
    this.#listener = undefined;
    rmSync(join(this.runtimeDir, HANDOFF_SOCKET), { force: true });
    const open = [...this.#open.keys()];
    this.#open.clear();
    for (const connection of open) connection.close();
    if (!this.restores) this.#sessions.clear();
  }

  restart(): void {
    this.crash();
    this.start();
  }

  #accept(fd: OwnedFd): void {
    const connection: Connection = new Connection(
      fd,
      {
        message: (data) => this.#receive(connection, decode('ClientMessage', data)),
        close: () => this.#hungUp(connection),
      },
      { maxFds: 1 },
    );
    this.#open.set(connection, undefined);
  }

  /** When a client closes the connection of a running daemon, its session ends. */
  #hungUp(connection: Connection): void {
    const gone = this.#open.get(connection);
    this.#open.delete(connection);
    for (const [token, session] of this.#sessions) if (session === gone) this.#sessions.delete(token);
  }

  #receive(connection: Connection, request: Request): void {
    if (!this.#open.has(connection)) return;
    // Asked by a client whose control socket was not reached; this daemon does not know it.
    if (request.body === 'getStatus') {
      connection.close();
      return;
    }
    this.seen.push(request.body ?? '');
    const deed = this.deed(request);
    if (deed === 'ignore') return;
    if (deed !== 'crash') {
      const { body, fds = [] } = this.#do(connection, request);
      const message = encode('ServerMessage', {
        sequence: request.sequence,
        fdCount: fds.length,
        ...body,
      });
      if (deed === 'answer') connection.send(message, fds);
      else for (const fd of fds) fd.close();
    }
    if (deed !== 'answer') this.crash();
  }

  #do(connection: Connection, request: Request): Answer {
    if (request.hello) return { body: { welcome: this.#greet(connection, request.hello) } };
    const session = this.#open.get(connection);
    if (!session) throw new Error('a request came before Hello');
    if (request.allocate) {
      const { requestId } = request.allocate;
      const made = [...session.owned].find(([, by]) => by === requestId)?.[0];
      const id = made ?? `allocation-${this.#nextId()}`;
      session.owned.set(id, requestId);
      return this.#grant(session, id, 'allocate');
    }
    if (request.claim) return this.#grant(session, request.claim.allocation?.id ?? 'named', 'claim');
    if (request.release)
      return session.grants.delete(request.release.grantId) ? { body: { release: {} } } : NOT_FOUND;
    const id = request.free?.allocation?.id ?? '';
    if (!session.owned.delete(id)) return NOT_FOUND;
    for (const [grant, of] of session.grants) if (of === id) session.grants.delete(grant);
    return { body: { free: { freed: true } } };
  }

  #greet(connection: Connection, hello: Decoded<'Hello'>): Draft<'Welcome'> {
    this.hellos.push(hello);
    const before = this.#sessions.get(hello.sessionToken);
    for (const id of before?.grants.keys() ?? []) {
      if (!hello.grantIds.includes(id)) before?.grants.delete(id);
    }
    const session = before ?? { id: BigInt(this.#nextId()), grants: new Map(), owned: new Map() };
    const sessionToken = `token-${this.#nextId()}`;
    this.#sessions.set(sessionToken, session);
    this.#open.set(connection, session);
    const incarnation = `incarnation-${this.#starts}`;
    const restored = before !== undefined;
    return { protocolVersion: PROTOCOL_VERSION, incarnation, sessionToken, sessionId: session.id, restored };
  }

  #grant(session: Session, allocationId: string, answer: 'allocate' | 'claim'): Answer {
    const id = BigInt(this.#nextId());
    session.grants.set(id, allocationId);
    const allocation = { id: allocationId, sizeBytes: BigInt(BYTES), lifetime: 'LIFETIME_SESSION' } as const;
    const kind = 'KIND_MAPPABLE' as const;
    const access = 'ACCESS_READ_WRITE' as const;
    const grant = { id, allocationId, kind, access, fdCount: 1, mapSizeBytes: BigInt(BYTES) };
    const file = openSync(join(this.runtimeDir, `memory-${allocationId}`), 'a+', 0o600);
    ftruncateSync(file, BYTES);
    return { body: { [answer]: { allocation, grants: [grant] } }, fds: [new OwnedFd(file, 'memory')] };
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

const NOT_FOUND: Answer = { body: { error: statusOf(new VkmemError('NOT_FOUND')) } };
