/**
 * Handover: a session that is begun here for another program, with allocations in it.
 *
 * exec() makes this process that program: to the daemon the process that connected stays the same. Until then
 * cancel() ends the session and frees what was made with it. Grants that the program gets as fds are claimed
 * here and those fds inherited; such a program does not know the session, which ends with it all the same.
 * Nothing else is granted here.
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
  openSeqpacket,
  type Program,
  type RequestDraft,
  SESSION_FD_VARIABLE,
  SESSION_PATH_VARIABLE,
  VkmemError,
} from '@vkmemd/proto';
import { checkRef, type Ref } from '../request/arguments.js';
import { claimRequest } from '../request/requests.js';
import { HandoffConnection } from './handoff.js';
import { greet } from './hello.js';

/** A grant that the program inherits the fd of. */
export interface InheritedGrant {
  readonly allocation: Allocation;
  readonly grant: Grant;
  readonly fd: number;
}

export class Handover {
  readonly #path: string;
  readonly #handoff: HandoffConnection;
  /** A second fd of the connection, which is not read here. */
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
   * Begins the session.
   * @param path of the handoff socket. @param clientName the session's name until the program gives it
   *   another.
   * @throws VkmemError as connect().
   */
  static async begin(path: string, clientName: string): Promise<Handover> {
    using owned = new DisposableStack();
    const socket = owned.use(openSeqpacket(path));
    const handoff = new HandoffConnection(socket.dup());
    await greet(handoff, { clientName });
    return new Handover(path, handoff, socket, owned.move());
  }

  /**
   * Makes an allocation, without handles.
   * @param label by which the program finds it. @throws VkmemError as Client.allocate().
   */
  async allocate(label: string, request: RequestDraft<'Allocate'>): Promise<Allocation> {
    const { allocation } = (await this.#handoff.request('Allocate', request)).message;
    if (!allocation) throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks the allocation.');
    this.#made.push(allocation.id);
    this.addAllocation(label, allocation.id);
    return allocation;
  }

  /** Adds an existing allocation to those that the program finds by a label. */
  addAllocation(label: string, id: string): void {
    this.#allocations.set(label, id);
  }

  /**
   * Claims MAPPABLE memory for the program, which inherits its fd.
   * @param ref of an allocation, or the label of one that was made here.
   * @returns the grant, and the fd's number, here and in the program. @throws VkmemError as Client.claim().
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
   * @returns the fd's number, here and in the program. @throws VkmemError as client.ivshmem.join().
   */
  async joinIvshmem(ref: Ref): Promise<number> {
    const { fds } = await this.#handoff.request('JoinIvshmem', { allocation: checkRef(ref) });
    this.#inherit(fds);
    return (fds[0] as OwnedFd).fd; // as was checked
  }

  /**
   * Becomes the program. Every answer was read by then.
   * @param pathVisible whether the program sees the path of the socket, by which it reconnects after a
   *   restart of the daemon.
   * @throws VkmemError INVALID_ARGUMENT where it cannot be run, as becomeProgram(); UNAVAILABLE where the
   *   session has ended.
   */
  exec(program: Program, pathVisible: boolean): never {
    const { end } = this.#handoff;
    if (end) throw new VkmemError('UNAVAILABLE', end.reason, {}, end);
    const variables = this.#variables(pathVisible);
    const own = program.environment?.filter((entry) => !((/^[^=]*/.exec(entry)?.[0] as string) in variables));
    const added = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const environment = own && [...own, ...added];
    if (!environment) Object.assign(process.env, variables);
    return becomeProgram({ ...program, environment }, this.#socket, this.#inheritedFds);
  }

  /**
   * Frees what was made, and ends the session.
   * @returns the failures of frees.
   */
  async cancel(): Promise<unknown[]> {
    const frees = this.#made.map((id) => this.#handoff.request('Free', { allocation: { id } }));
    const ends = await Promise.allSettled(frees);
    this.#owned.dispose();
    this.#handoff.close(new VkmemError('UNAVAILABLE', 'The session was given up.'));
    await this.#handoff.closed;
    return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  }

  #inherit(fds: readonly OwnedFd[]): void {
    for (const fd of fds) this.#inheritedFds.push(this.#owned.use(fd));
  }

  /** The variables of the program's environment. */
  #variables(pathVisible: boolean): Readonly<Record<string, string>> {
    return {
      ...(pathVisible && { [SESSION_PATH_VARIABLE]: resolve(this.#path) }),
      [SESSION_FD_VARIABLE]: String(this.#socket.fd),
      [ALLOCATIONS_VARIABLE]: JSON.stringify(Object.fromEntries(this.#allocations)),
    };
  }
}
