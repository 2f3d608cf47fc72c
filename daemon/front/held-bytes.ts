/**
 * The bytes that the front holds for gRPC's callers: requests that have not arrived whole, and answers that have not
 * been taken. There is one account of both, by tenant and in all; a call beyond it is refused, before its answer is
 * written or as its request grows. What stays in the account for too long is dropped with its call.
 *
 * gRPC buffers a request until its last byte, and an answer until HTTP/2's windows have let it pass; it reports neither.
 * So each call's stream is observed, below gRPC.
 */
import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import { statusOf, VkmemError } from '@vkmemd/proto';
import { type Sharer, Shares } from '../limits/shares.js';
import { grpcFault } from './grpc-faults.js';

/** Bytes of all tenants; one tenant has three quarters at most. */
const MAX_BYTES = 48 << 20;
/** What a call costs until its request is whole, besides its metadata and message. */
const CALL_BYTES = 8 * 1024;
/** For a request to arrive, and for an answer to be taken, in milliseconds; and how often that is checked. */
const [REQUEST_MS, ANSWER_MS, LOOK_MS] = [10_000, 30_000, 1000];

/** gRPC's own call, below all interceptors. */
interface BaseCall extends Pick<ServerInterceptingCall, 'getPeer' | 'sendStatus'> {
  readonly stream: ServerHttp2Stream;
  readonly metadata: Metadata;
  sendMessage(message: unknown, sent: () => void): void;
}

/** One call. */
class HeldCall {
  readonly #shares: Shares;
  readonly #tenant: Sharer;
  readonly #call: BaseCall;
  /** Of its request, and of its answers. */
  #request = 0;
  #answers = 0;
  /** When the request began to arrive; when the last answer was taken, or the first one was written. */
  #since = performance.now();
  #refused = false;
  #ended = false;
  #onTaken: (() => void) | undefined;

  constructor(shares: Shares, tenant: Sharer, call: BaseCall) {
    this.#shares = shares;
    this.#tenant = tenant;
    this.#call = call;
    this.#setRequest(CALL_BYTES + sizeOf(call.metadata));
  }

  /** A part of the request has arrived. */
  received(bytes: number): void {
    if (this.#refused) return;
    if (this.#request === 0) this.#since = performance.now();
    this.#setRequest(this.#request + bytes);
    if (this.#shares.of(this.#tenant) > this.#shares.maxOf(this.#tenant))
      this.#refuse('sends more than the front may hold of requests that are not complete');
  }

  /** The request, or one message of a stream of them, is passed on. */
  passed(): void {
    this.#setRequest(0);
  }

  /** @returns false if the answer is not to be written: the call has been refused. */
  mayAnswer(bytes: number): boolean {
    const most = this.#shares.maxOf(this.#tenant);
    if (this.#shares.of(this.#tenant) + bytes <= most) return true;
    this.#refuse('leaves more answers unread than the front may hold');
    return false;
  }

  /** An answer was written, or taken. */
  look(): void {
    if (this.#ended) return;
    const { writableLength } = this.#call.stream;
    if (this.#answers === 0 || writableLength < this.#answers) this.#since = performance.now();
    this.#shares.change(this.#tenant, writableLength - this.#answers);
    this.#answers = writableLength;
    if (writableLength === 0) this.#onTaken?.();
  }

  /** Calls back once no answer is held: the next message of a stream of requests is served then. */
  whenTaken(next: () => void): void {
    if (this.#answers === 0) next();
    else this.#onTaken = next;
  }

  /** Ends it, if it has been held for too long. @returns whether it is held. */
  expire(now: number): boolean {
    const held = now - this.#since;
    if (this.#request > 0 && held > REQUEST_MS) {
      this.#refuse(`has not completed its request within ${REQUEST_MS / 1000} s`);
    } else if (this.#answers > 0 && held > ANSWER_MS) {
      this.#call.stream.destroy();
    }
    return this.#request + this.#answers > 0;
  }

  /** The stream is closed. */
  end(): void {
    this.#ended = true;
    this.#shares.change(this.#tenant, -this.#request - this.#answers);
    this.#request = 0;
    this.#answers = 0;
  }

  #setRequest(bytes: number): void {
    this.#shares.change(this.#tenant, bytes - this.#request);
    this.#request = bytes;
  }

  /** Answers with the fault, and closes the stream, so that no more of the request arrives. */
  #refuse(what: string): void {
    if (this.#refused) return;
    this.#refused = true;
    const { stream } = this.#call;
    const reason = `Tenant ${this.#tenant.name} ${what}.`;
    this.#call.sendStatus(grpcFault(statusOf(new VkmemError('UNAVAILABLE', reason, { whose: 'user' }))));
    stream.close(constants.NGHTTP2_NO_ERROR);
  }
}

export class HeldBytes {
  readonly #shares = new Shares(() => MAX_BYTES);
  /** Those that hold something. */
  readonly #held = new Set<HeldCall>();
  readonly #tenantOf: (address: string) => string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param tenantOf the key of the tenant of a connection, by its address. */
  constructor(tenantOf: (address: string) => string | undefined) {
    this.#tenantOf = tenantOf;
  }

  /** The bytes of all tenants. */
  get size(): number {
    return this.#shares.total;
  }

  /** Observes a call. It gets gRPC's own call, so no interceptor before it may wrap that. */
  readonly interceptor: ServerInterceptor = ({ requestStream }, intercepting) => {
    const call = intercepting as unknown as BaseCall;
    const { stream } = call;
    const key = this.#tenantOf(call.getPeer()) ?? '';
    const held = new HeldCall(this.#shares, { key, name: key }, call);
    this.#hold(held);
    stream.on('data', ({ length }: Buffer) => held.received(length));
    stream.once('end', () => held.passed());
    stream.once('close', () => {
      held.end();
      this.#held.delete(held);
    });
    const send = call.sendMessage.bind(call);
    call.sendMessage = (message, sent) => {
      if (!held.mayAnswer((message as Partial<Uint8Array>).length ?? 0)) return;
      send(message, () => {
        held.look();
        sent();
      });
      held.look();
      this.#hold(held);
    };
    if (!requestStream) return intercepting as ServerInterceptingCall;
    const listener = new ServerListenerBuilder().withOnReceiveMessage((message, next) => {
      held.passed();
      held.whenTaken(() => next(message));
    });
    return new ServerInterceptingCall(intercepting, { start: (next) => next(listener.build()) });
  };

  #hold(held: HeldCall): void {
    this.#held.add(held);
    this.#timer ??= setInterval(() => this.#expire(), LOOK_MS).unref();
  }

  #expire(): void {
    const now = performance.now();
    for (const held of this.#held) if (!held.expire(now)) this.#held.delete(held);
    if (this.#held.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** As HTTP/2 counts the size of a list of fields: 32 bytes for each, and its name and value. */
function sizeOf(metadata: Metadata): number {
  let bytes = 0;
  for (const [name, values] of Object.entries(metadata.toJSON())) {
    for (const { length } of values) bytes += 32 + name.length + length;
  }
  return bytes;
}
