/**
 * Handover: a session that this process opens for another program, with allocations in it.
 *
 * exec() replaces this program by the other one: for the daemon, the connected process stays the same. Before
 * that, cancel() frees the allocations that were created here and ends the session. To give the program
 * memory as fds, claim() and joinIvshmem() are called here, and the program inherits the fds. Such a program
 * need not use the session, which still ends with it. No other grants are made here.
 */
import { resolve } from 'node:path';
import {
  type AccessName,
  ALLOCATIONS_VARIABLE,
  type Allocation,
  becomeProgram,
  DisposableStack,
  type Grant,
  type OwnedFd,
  type Program,
  type RequestDraft,
  SESSION_FD_VARIABLE,
  SESSION_PATH_VARIABLE,
  VkmemError,
} from '@vkmemd/proto';
import { checkRef, type Ref } from '../request/arguments.js';
import { claimRequest } from '../request/requests.js';
import { type ExpectedUid, openDaemon } from './daemon-peer.js';
import { HandoffConnection } from './handoff.js';
import { greet, prepareHello } from './hello.js';
import { afterEnd } from './request.js';

/** A grant whose fd the program inherits. */
export interface InheritedGrant {
  readonly allocation: Allocation;
  readonly grant: Grant;
  readonly fd: number;
}

export class Handover {
  readonly #path: string;
  readonly #handoff: HandoffConnection;
  /** A second fd of the connection, for the program; it is not read here. */
  readonly #socket: OwnedFd;
  readonly #allocations = new Map<string, string>();
  readonly #made: string[] = [];
  readonly #inheritedFds: OwnedFd[] = [];
  /** The socket and the inherited fds. */
  readonly #owned: DisposableStack;

  private constructor(path: string, handoff: HandoffConnection, socket: OwnedFd, owned: DisposableStack) {
    this.#path = path;
    this.#handoff = handoff;
    this.#socket = socket;
    this.#owned = owned;
  }

  /**
   * Opens the session.
   * @param path The path of the handoff socket.
   * @param clientName The name of the session until the program sets another.
   * @param expectUid As ConnectOptions.expectUid.
   * @throws VkmemError as connect().
   */
  static async begin(path: string, clientName: string, expectUid?: ExpectedUid): Promise<Handover> {
    using owned = new DisposableStack();
    prepareHello();
    const socket = owned.use(await openDaemon(path, expectUid));
    const handoff = new HandoffConnection(socket.dup());
    await greet(handoff, { clientName });
    return new Handover(path, handoff, socket, owned.move());
  }

  /**
   * Creates an allocation, without grants.
   * @param label The program finds the allocation by this label.
   * @throws VkmemError as Client.allocate().
   */
  async allocate(label: string, request: RequestDraft<'Allocate'>): Promise<Allocation> {
    const { allocation } = (await this.#handoff.request('Allocate', request)).message;
    if (!allocation) throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks the allocation.');
    this.#made.push(allocation.id);
    this.addAllocation(label, allocation.id);
    return allocation;
  }

  /** Adds an existing allocation, which the program finds by the label. */
  addAllocation(label: string, id: string): void {
    this.#allocations.set(label, id);
  }

  /**
   * Claims MAPPABLE memory for the program, which inherits the fd.
   * @param ref An allocation, or as `name` the label of one that was created here.
   * @returns The grant, and the number of the fd, which is the same here and in the program.
   * @throws VkmemError as Client.claim().
   */
  async claim(ref: Ref, access: AccessName): Promise<InheritedGrant> {
    const made = 'name' in ref && ref.name !== undefined ? this.#allocations.get(ref.name) : undefined;
    const request = claimRequest(made === undefined ? ref : { id: made }, { kinds: ['MAPPABLE'], access });
    const { message, fds } = await this.#handoff.request('Claim', request);
    this.#inherit(fds);
    const [[grant], [fd]] = [message.grants, fds];
    if (!message.allocation || !grant || !fd)
      throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks the grant.');
    return { allocation: message.allocation, grant, fd: fd.fd };
  }

  /**
   * Joins an ivshmem server for the program, which inherits the connection.
   * @returns The number of the fd, which is the same here and in the program.
   * @throws VkmemError as client.ivshmem.join().
   */
  async joinIvshmem(ref: Ref): Promise<number> {
    const { fds } = await this.#handoff.request('JoinIvshmem', { allocation: checkRef(ref) });
    this.#inherit(fds);
    return (fds[0] as OwnedFd).fd; // checkAnswer() has checked the number of fds
  }

  /**
   * Replaces this program. All answers must have been read.
   * @param pathVisible Whether the program can reach the path of the socket, to reconnect after a restart of
   *   the daemon.
   * @throws VkmemError INVALID_ARGUMENT if the program cannot be run, as becomeProgram(); UNAVAILABLE if the
   *   session has ended.
   */
  exec(program: Program, pathVisible: boolean): never {
    const { end } = this.#handoff;
    if (end) throw afterEnd(end);
    const variables = this.#variables(pathVisible);
    const own = program.environment?.filter((entry) => !((/^[^=]*/.exec(entry)?.[0] as string) in variables));
    const added = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const environment = own && [...own, ...added];
    if (!environment) Object.assign(process.env, variables);
    return becomeProgram({ ...program, environment }, this.#socket, this.#inheritedFds);
  }

  /**
   * Frees the allocations that were created here, and ends the session.
   * @returns The failures of the frees.
   */
  async cancel(): Promise<unknown[]> {
    const frees = this.#made.map((id) => this.#handoff.request('Free', { allocation: { id } }));
    const ends = await Promise.allSettled(frees);
    this.#owned.dispose();
    this.#handoff.close(new VkmemError('UNAVAILABLE', 'The session was cancelled.'));
    await this.#handoff.closed;
    return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  }

  #inherit(fds: readonly OwnedFd[]): void {
    for (const fd of fds) this.#inheritedFds.push(this.#owned.use(fd));
  }

  /** The session's variables for the program's environment. */
  #variables(pathVisible: boolean): Readonly<Record<string, string>> {
    return {
      ...(pathVisible && { [SESSION_PATH_VARIABLE]: resolve(this.#path) }),
      [SESSION_FD_VARIABLE]: String(this.#socket.fd),
      [ALLOCATIONS_VARIABLE]: JSON.stringify(Object.fromEntries(this.#allocations)),
    };
  }
}
