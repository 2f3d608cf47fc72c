/**
 * The front: the control and admin planes, on connections that the core has accepted. It owns nothing: no
 * device, no memory, no ledger. All that it answers it asks the core, by the link; when the link ends, it
 * ends.
 *
 * core-calls  the calls to the core
 * control     gRPC
 * admin/      HTTP
 */
import { Socket } from 'node:net';
import { type Decoded, loadSchemas, type OwnedFd, readDescriptorFiles } from '@vkmemd/proto';
import { Link } from '../link/link.js';
import { AdminServer } from './admin/server.js';
import { ControlServer } from './control.js';
import { CoreCalls } from './core-calls.js';

const LAST_WORD_MS = 100;

export class Front {
  readonly #calls: CoreCalls;
  readonly #control: ControlServer;
  readonly #admin: AdminServer;
  readonly #connections = new Map<bigint, Socket>();
  readonly #report: (what: string) => void;
  #link: Link<'ToCore', 'ToFront'> | undefined;

  private constructor(
    calls: CoreCalls,
    control: ControlServer,
    admin: AdminServer,
    report: (what: string) => void,
  ) {
    this.#calls = calls;
    this.#control = control;
    this.#admin = admin;
    this.#report = report;
  }

  /** Loads all that it needs. @param report reports what goes wrong. */
  static async create(report: (what: string) => void): Promise<Front> {
    loadSchemas();
    const calls = new CoreCalls();
    const control = new ControlServer(calls, await readDescriptorFiles());
    return new Front(calls, control, await AdminServer.create(calls, report), report);
  }

  /**
   * Serves until the link ends. Resolves with the reason.
   * @param link a connected SOCK_SEQPACKET socket; ownership is taken.
   */
  serve(link: OwnedFd): Promise<string> {
    return new Promise((resolve) => {
      this.#link = new Link<'ToCore', 'ToFront'>(link, 'ToCore', 'ToFront', {
        message: (message, fd) => this.#receive(message, fd),
        ended: (fault) => {
          for (const socket of this.#connections.values()) socket.destroy();
          resolve(fault ?? 'the link has ended');
        },
      });
      this.#calls.connect(this.#link);
    });
  }

  /** Ends it at once. */
  close(): void {
    this.#link?.[Symbol.dispose]();
  }

  #receive(message: Decoded<'ToFront'>, fd: OwnedFd | undefined): void {
    switch (message.body) {
      case 'ping':
        this.#link?.send({ id: message.id, pong: {} });
        return;
      case 'caller':
        if (message.caller && fd) this.#serve(message.caller, fd);
        return;
      case 'answer':
        if (message.answer) this.#calls.receive(message.id, message.answer);
        return;
      case 'callerGone':
        this.#end(message.callerGone?.number ?? 0n);
        return;
      case 'health':
        this.#control.deviceServes = message.health?.deviceServes ?? true;
        return;
      case 'drain':
        if (message.drain) this.#drain(message.drain);
        return;
      default:
        this.#link?.fail(`the core sent ${message.body ?? 'a message without a body'}`);
    }
  }

  #serve({ number, plane, shown, handshakeMs, tenant }: Decoded<'Caller'>, fd: OwnedFd): void {
    let socket: Socket | undefined;
    try {
      socket = new Socket({
        fd: fd.fd,
        readable: true,
        writable: true,
        allowHalfOpen: plane !== 'PLANE_CONTROL',
      });
      fd.take();
      this.#connections.set(number, socket);
      // A hang-up is not an error; 'close' follows.
      socket.on('error', () => socket?.destroy());
      socket.once('close', () => {
        this.#connections.delete(number);
        this.#calls.hangUp(number);
      });
      if (plane === 'PLANE_CONTROL') this.#control.serve(number, tenant, socket, handshakeMs);
      else this.#admin.serve({ number, tcp: plane === 'PLANE_ADMIN_TCP' }, socket, handshakeMs);
    } catch (failure) {
      fd.close();
      if (socket) socket.destroy();
      else this.#calls.hangUp(number);
      this.#report(`a connection of ${shown} could not be served: ${failure}`);
    }
  }

  /** Ends a connection: what it has to send has LAST_WORD_MS, since a caller may read nothing. */
  #end(number: bigint): void {
    const socket = this.#connections.get(number);
    if (!socket) return;
    socket.destroySoon();
    const timer = setTimeout(() => socket.destroy(), LAST_WORD_MS);
    socket.once('close', () => clearTimeout(timer));
  }

  #drain({ plane, graceMs }: Decoded<'Drain'>): void {
    if (plane === 'PLANE_CONTROL') this.#control.drain(graceMs);
    else this.#admin.drain(graceMs);
  }
}
