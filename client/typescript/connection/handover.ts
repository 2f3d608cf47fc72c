/**
 * Handover: a session that is begun here for another program, with allocations in it.
 *
 * hand() makes this process that program: the daemon goes on seeing the process that connected. Until then the session can
 * be given up again, and what was made with it. Grants that the program is to have as fds are claimed here, and these
 * go with it; it knows nothing of the session then, which ends with it all the same. Nothing else is granted here.
 */

import { resolve } from 'node:path';
import {
  type AccessName,
  ALLOCATIONS_VARIABLE,
  type Allocation,
  becomeProgram,
  closeAll,
  type Draft,
  type Grant,
  type OwnedFd,
  openSeqpacket,
  type Program,
  SESSION_FD_VARIABLE,
  SESSION_PATH_VARIABLE,
  VkmemError,
} from '@vkmemd/proto';
import { checkRef, type Ref } from '../request/arguments.js';
import { claimRequest } from '../request/requests.js';
import { HandoffConnection } from './handoff.js';
import { greet } from './hello.js';

/** What the program gets an fd of. */
export interface Claimed {
  readonly allocation: Allocation;
  readonly grant: Grant;
  readonly fd: number;
}

export class Handover {
  readonly #path: string;
  readonly #handoff: HandoffConnection;
  /** A second fd of the connection, which nothing here reads. */
  readonly #socket: OwnedFd;
  readonly #allocations = new Map<string, string>();
  readonly #made: string[] = [];
  readonly #claimed: OwnedFd[] = [];

  private constructor(path: string, handoff: HandoffConnection, socket: OwnedFd) {
    this.#path = path;
    this.#handoff = handoff;
    this.#socket = socket;
  }

  /**
   * Begins the session.
   * @param path of the handoff socket. @param clientName what the session is called until its heir says.
   * @throws VkmemError as connect().
   */
  static async begin(path: string, clientName: string): Promise<Handover> {
    const socket = openSeqpacket(path);
    try {
      const handoff = new HandoffConnection(socket.dup());
      await greet(handoff, { clientName });
      return new Handover(path, handoff, socket);
    } catch (failure) {
      socket.close();
      throw failure;
    }
  }

  /**
   * Makes an allocation, without handles.
   * @param label under which the program is told of it. @throws VkmemError as Client.allocate().
   */
  async allocate(label: string, request: Draft<'AllocateRequest'>): Promise<Allocation> {
    const { allocation } = (await this.#handoff.request('allocate', request)).message;
    if (!allocation) throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks the allocation.');
    this.#made.push(allocation.id);
    this.tell(label, allocation.id);
    return allocation;
  }

  /**
   * Claims MAPPABLE memory for the program, which gets its fd.
   * @param ref an allocation's, or the label of one that was made here.
   * @returns the fd's number, here and there, and what was granted. @throws VkmemError as Client.claim().
   */
  async claim(ref: Ref, access: AccessName): Promise<Claimed> {
    const made = 'name' in ref && ref.name !== undefined ? this.#allocations.get(ref.name) : undefined;
    const options = { kinds: ['MAPPABLE'], access } as const;
    const { message, fds } = await this.#handoff.request(
      'claim',
      claimRequest(made === undefined ? ref : { id: made }, options),
    );
    this.#claimed.push(...fds);
    const [[grant], [fd]] = [message.grants, fds];
    if (!message.allocation || !grant || !fd)
      throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks the grant.');
    return { allocation: message.allocation, grant, fd: fd.fd };
  }

  /**
   * Joins an ivshmem server for the program, which gets the connection.
   * @returns the fd's number, here and there. @throws VkmemError as Client.joinIvshmem().
   */
  async joinIvshmem(ref: Ref): Promise<number> {
    const { fds } = await this.#handoff.request('joinIvshmem', { allocation: checkRef(ref) });
    this.#claimed.push(...fds);
    return (fds[0] as OwnedFd).fd; // as was checked
  }

  /** Tells the program of an allocation that exists. */
  tell(label: string, id: string): void {
    this.#allocations.set(label, id);
  }

  /** The variables of the program's environment. @param sees whether it sees the socket's path. */
  #variables(sees: boolean): Readonly<Record<string, string>> {
    return {
      ...(sees && { [SESSION_PATH_VARIABLE]: resolve(this.#path) }),
      [SESSION_FD_VARIABLE]: String(this.#socket.fd),
      [ALLOCATIONS_VARIABLE]: JSON.stringify(Object.fromEntries(this.#allocations)),
    };
  }

  /**
   * Becomes the program. Every answer was read by then.
   * @param sees whether it sees the path of the socket, by which it can connect again after a restart of the daemon.
   * @throws VkmemError INVALID_ARGUMENT where it cannot be run, as becomeProgram(); UNAVAILABLE where the session has
   *   ended.
   */
  hand(program: Program, sees: boolean): never {
    const { end } = this.#handoff;
    if (end) throw new VkmemError('UNAVAILABLE', end.reason, {}, end);
    const variables = this.#variables(sees);
    const own = program.environment?.filter((entry) => !((/^[^=]*/.exec(entry)?.[0] as string) in variables));
    const told = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const environment = own && [...own, ...told];
    if (!environment) Object.assign(process.env, variables);
    return becomeProgram({ ...program, environment }, this.#socket, this.#claimed);
  }

  /**
   * Frees what was made, and ends the session.
   * @returns what could not be freed, and why.
   */
  async giveUp(): Promise<unknown[]> {
    const frees = this.#made.map((id) => this.#handoff.request('free', { allocation: { id } }));
    const ends = await Promise.allSettled(frees);
    closeAll([...this.#claimed, this.#socket]);
    this.#handoff.close(new VkmemError('UNAVAILABLE', 'The session was given up.'));
    await this.#handoff.closed;
    return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  }
}
