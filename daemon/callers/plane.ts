/**
 * The plane of the callers that the front serves: the core's side of the control and admin sockets.
 *
 * It listens, reads each peer's identity at accept, decides whether it may connect and whether there is room,
 * and passes the connection to the front, with a number by which the front's calls name it. From then on only
 * the front has the connection. A user whom the policy does not let connect is disconnected, and the front
 * never sees the connection. While there is no front, connections wait in the backlogs of the sockets.
 *
 * front      the front's process, and the link to it
 * admission  which connections there is room for
 * calls      what the front asks
 */
import {
  type Decoded,
  Listener,
  type ListenPlace,
  listenTcp,
  type OwnedFd,
  type PeerIdentity,
  VkmemError,
} from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Authority } from '../memory/authority.js';
import type { ClaimQueue } from '../memory/grant/claim-queue.js';
import type { Reporter } from '../memory/reporter.js';
import type { SemaphoreWaits } from '../memory/semaphore/waits.js';
import type { IdentifiedProcesses } from '../memory/session/identified-processes.js';
import type { Sessions } from '../memory/session/session.js';
import type { Identity } from '../policy/identity.js';
import { identityOf } from '../policy/unit.js';
import { type RequestEvents, reportAnswer } from '../requests/events.js';
import type { Handlers, StreamHandlers } from '../requests/handlers.js';
import { CallerAdmission, type CallerPlane } from './admission.js';
import { ConnectedCaller } from './caller.js';
import { Calls } from './calls.js';
import type { Front } from './front.js';
import { addressText, type ListenAddress } from './listen-address.js';

/** How long a stopping daemon waits for calls under way, in milliseconds. */
const GRACE_MS = { CONTROL: 5000, ADMIN: 1000 };
/** What the front may take beyond it, before its connections are cut off. */
const MARGIN_MS = 500;
/** Time for a refusal to be sent before the connection is closed, in milliseconds. */
const LAST_WORD_MS = 100;

interface Collaborators {
  readonly authority: Authority;
  readonly fds: FdBudget;
  readonly sessions: Sessions;
  readonly identifiedProcesses: IdentifiedProcesses;
  readonly claimQueue: ClaimQueue;
  readonly semaphoreWaits: SemaphoreWaits;
  readonly reporter: Reporter;
  readonly requestEvents: RequestEvents;
  readonly handlers: Handlers & StreamHandlers;
  readonly front: Front;
}

export class CallersPlane implements AsyncDisposable {
  readonly #with: Collaborators;
  readonly #admission: CallerAdmission;
  readonly #calls: Calls;
  readonly #callers = new Map<bigint, ConnectedCaller>();
  readonly #listeners: { readonly plane: CallerPlane; readonly listener: Listener }[] = [];
  readonly #front: Front;
  #number = 0n;
  #deviceServes = true;
  /** Called at each hang-up. */
  #onHangup: () => void = () => {};

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
    this.#front = collaborators.front;
    this.#admission = new CallerAdmission(collaborators);
    this.#calls = new Calls(collaborators, {
      send: (id, answer) => this.#front.send({ id, answer }),
      pause: () => this.#front.pause(),
      resume: () => this.#front.resume(),
    });
    this.#front.attach({
      up: () => this.#frontUp(),
      down: () => this.#frontDown(),
      message: (message) => this.#receive(message),
    });
  }

  /**
   * Listens on a Unix socket. Its connections are accepted while there is a front.
   * @param place a path without a socket in an existing folder; or a listening socket, whose ownership is
   *   taken.
   * @throws KernelError.
   */
  listen(plane: 'CONTROL' | 'ADMIN', place: ListenPlace): void {
    const listener = Listener.at(
      place,
      { type: 'stream', arrivals: this.#with.fds.newcomers },
      {
        connection: (fd, peer) => this.#accept(plane, fd, peer),
        error: (cause) => this.#with.reporter.fault(`the ${socketOf(plane)} could not accept`, cause),
      },
    );
    this.#add(plane, listener);
  }

  /**
   * Listens on a TCP address too, for the admin sockets.
   * @returns the address, with the port that the kernel has chosen.
   * @throws VkmemError UNAVAILABLE if it cannot.
   */
  listenTcp(address: ListenAddress): ListenAddress {
    try {
      const { fd, address: bound } = listenTcp(address);
      const listener = Listener.adoptTcp(fd, {
        connection: (accepted) => this.#pass('ADMIN_TCP', accepted, undefined),
        error: (cause) => this.#with.reporter.fault('the admin plane could not accept', cause),
      });
      this.#add('ADMIN_TCP', listener);
      return bound;
    } catch (cause) {
      const reason = `The admin plane cannot listen on ${addressText(address)}: ${(cause as Error).message}.`;
      throw new VkmemError('UNAVAILABLE', reason, {}, cause);
    }
  }

  /** Reports to gRPC's health service whether the device serves. */
  set deviceServes(serving: boolean) {
    this.#deviceServes = serving;
    this.#front.send({ health: { deviceServes: serving } });
  }

  /** Number of connections, including those that are only refused. */
  get connections(): { readonly control: number; readonly admin: number } {
    const control = [...this.#callers.values()].filter(({ plane }) => plane === 'CONTROL').length;
    return { control, admin: this.#callers.size - control };
  }

  /**
   * Stops accepting on the control socket and ends streams; resolves when every call there is answered, or
   * has been cut off.
   */
  async stopControl(): Promise<void> {
    const stopping = new VkmemError('UNAVAILABLE', 'The daemon is stopping.');
    this.#close(({ plane }) => plane === 'CONTROL');
    this.#calls.stop(stopping);
    this.#with.claimQueue.stop(stopping);
    this.#with.semaphoreWaits.stop(stopping);
    await this.#drain('CONTROL', ({ plane }) => plane === 'CONTROL');
  }

  /** Stops accepting on the admin sockets too; resolves when every caller is answered, or has been cut off. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close(() => true);
    await this.#drain('ADMIN', () => true);
    for (const caller of this.#callers.values()) this.#end(caller);
  }

  async #drain(plane: 'CONTROL' | 'ADMIN', drained: (caller: ConnectedCaller) => boolean): Promise<void> {
    const graceMs = GRACE_MS[plane];
    this.#front.send({ drain: { plane: `PLANE_${plane}`, graceMs } });
    const left = () => [...this.#callers.values()].filter(drained);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs + MARGIN_MS);
      this.#onHangup = () => {
        if (left().length > 0) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onHangup();
    });
    for (const caller of left()) this.#hangUp(caller);
  }

  #close(which: (entry: { readonly plane: CallerPlane }) => boolean): void {
    for (const entry of this.#listeners.filter(which)) entry.listener.close();
    const rest = this.#listeners.filter((entry) => !which(entry));
    this.#listeners.splice(0, this.#listeners.length, ...rest);
  }

  #add(plane: CallerPlane, listener: Listener): void {
    this.#listeners.push({ plane, listener });
    if (!this.#front.present) listener.pause();
  }

  #frontUp(): void {
    this.#front.send({ health: { deviceServes: this.#deviceServes } });
    for (const { listener } of this.#listeners) listener.resume();
  }

  #frontDown(): void {
    for (const { listener } of this.#listeners) listener.pause();
    this.#calls.reset();
    for (const caller of this.#callers.values()) this.#end(caller);
  }

  #accept(plane: CallerPlane, fd: OwnedFd, connected: PeerIdentity): void {
    if (!this.#front.present) {
      // It ended while the connection waited for its turn.
      fd.close();
      connected.pidfd?.close();
      return;
    }
    const peer = this.#with.identifiedProcesses.complete(connected);
    this.#pass(plane, fd, identityOf(peer, this.#with.authority.policy), peer.pidfd);
  }

  /** Passes a connection to the front. Takes ownership of the fds. @param pidfd of the peer. */
  #pass(plane: CallerPlane, fd: OwnedFd, identity: Identity | undefined, pidfd?: OwnedFd): void {
    const { authority, requestEvents, reporter } = this.#with;
    let caller: ConnectedCaller | undefined;
    try {
      if (identity) authority.requireConnect(identity);
      const admitted = this.#admission.admit(plane, identity);
      if (!admitted) {
        fd.close();
        pidfd?.close();
        return;
      }
      const { limits } = authority.policy;
      this.#number += 1n;
      caller = new ConnectedCaller(this.#number, plane, identity, admitted, limits);
      const passed = caller;
      this.#callers.set(passed.number, passed);
      if (pidfd) passed.watch(pidfd, () => this.#hangUp(passed));
      if (caller.refusal) this.#hangUpAfter(caller, limits.handshakeMs);
      this.#front.send({ caller: caller.describe(limits.handshakeMs) }, fd);
    } catch (failure) {
      fd.close();
      if (caller) this.#end(caller);
      else pidfd?.close();
      if (!(failure instanceof VkmemError))
        reporter.fault('a caller could not be passed to the front', failure);
      else if (identity) {
        const reported = plane === 'CONTROL' ? 'control' : 'admin';
        reportAnswer(requestEvents, reported, 'connection', failure.code, { identity });
      }
    }
  }

  #receive(message: Decoded<'ToCore'>): void {
    const { id } = message;
    switch (message.body) {
      case 'call':
        if (message.call) this.#call(id, message.call);
        return;
      case 'cancel':
        this.#calls.get(id)?.cancel();
        return;
      case 'credit':
        this.#calls.get(id)?.addCredit(message.credit?.answers ?? 0);
        return;
      case 'hangup': {
        const caller = this.#callers.get(message.hangup?.number ?? 0n);
        if (caller) this.#end(caller);
        return;
      }
      default:
        throw new Error(`it sent ${message.body ?? 'a message without a body'}`);
    }
  }

  #call(id: bigint, call: Decoded<'Call'>): void {
    const callerOf = (number: bigint): ConnectedCaller | undefined => {
      const caller = this.#callers.get(number);
      return caller?.gone ? undefined : caller;
    };
    this.#calls.receive(id, call, callerOf);
    const caller = callerOf(call.caller);
    if (!caller?.refusal || caller.lastWord) return;
    caller.lastWord = true;
    this.#hangUpAfter(caller, LAST_WORD_MS);
  }

  #hangUpAfter(caller: ConnectedCaller, ms: number): void {
    clearTimeout(caller.timer);
    caller.timer = setTimeout(() => this.#hangUp(caller), ms);
  }

  /** Ends a caller, and has the front close its connection: until then it has its place. */
  #hangUp(caller: ConnectedCaller): void {
    if (caller.gone) return;
    caller.end();
    this.#front.send({ callerGone: { number: caller.number } });
  }

  /** The connection of a caller has ended. */
  #end(caller: ConnectedCaller): void {
    if (!this.#callers.delete(caller.number)) return;
    caller[Symbol.dispose]();
    this.#onHangup();
  }
}

const socketOf = (plane: 'CONTROL' | 'ADMIN'): string =>
  plane === 'CONTROL' ? 'control socket' : 'admin socket';
