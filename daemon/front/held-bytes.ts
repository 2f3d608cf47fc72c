/**
 * The bytes that the front holds for gRPC's callers: requests that have not arrived whole, and answers that have not
 * been taken. There is one account of both, by tenant and in all; a call beyond its tenant's part is refused, before
 * its answer is written or as its request grows. If the account is full, the oldest calls of the tenant that holds most
 * are dropped for one that holds less. What stays in the account for too long is dropped with its call.
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
import { grpcFault } from './grpc-faults.js';

/** The maximum of all tenants, and of one, in bytes. */
export const [MAX_BYTES, MAX_OF_TENANT] = [48 << 20, 36 << 20];
/** What a call costs until its request is whole, besides its metadata and message. */
const CALL_BYTES = 8 * 1024;
/** What a stream of requests costs while an answer of it is not taken, besides that. */
const STREAM_BYTES = 56 * 1024;
/** For a request to arrive, and for an answer to be taken, in milliseconds; and how often that is checked. */
export const [REQUEST_MS, ANSWER_MS, LOOK_MS] = [10_000, 30_000, 1000];

/** gRPC's own call, below all interceptors. */
interface BaseCall extends Pick<ServerInterceptingCall, 'getPeer' | 'sendStatus'> {
  readonly stream: ServerHttp2Stream;
  readonly metadata: Metadata;
  sendMessage(message: unknown, sent: () => void): void;
}

/** A tenant with calls. */
class Holder {
  readonly key: string;
  /** Oldest first. */
  readonly calls = new Set<HeldCall>();
  bytes = 0;

  constructor(key: string) {
    this.key = key;
  }
}

/** The bytes that are held, by the tenant's key. */
class Account {
  readonly #holders = new Map<string, Holder>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  get calls(): HeldCall[] {
    return [...this.#holders.values()].flatMap(({ calls }) => [...calls]);
  }

  /** @param key of the tenant that the call is of. */
  enter(key: string, call: HeldCall): Holder {
    const holder = this.#holders.get(key) ?? new Holder(key);
    this.#holders.set(key, holder);
    holder.calls.add(call);
    return holder;
  }

  leave(holder: Holder, call: HeldCall): void {
    holder.calls.delete(call);
    if (holder.calls.size === 0 && this.#holders.get(holder.key) === holder) this.#holders.delete(holder.key);
  }

  change(holder: Holder, bytes: number): void {
    holder.bytes += bytes;
    this.#total += bytes;
  }

  /** Whether there is room for so many more, for which calls of a tenant that holds more are dropped. */
  hasRoom(holder: Holder, bytes: number): boolean {
    const own = holder.bytes + bytes;
    if (own > MAX_OF_TENANT) return false;
    while (this.#total + bytes > MAX_BYTES) {
      let most = holder;
      for (const other of this.#holders.values()) if (other.bytes > most.bytes) most = other;
      if (most.bytes <= own) return false;
      for (const call of most.calls) {
        if (this.#total + bytes <= MAX_BYTES || most.bytes <= own) break;
        if (call.bytes > 0) call.drop();
      }
    }
    return true;
  }
}

/** One call. */
class HeldCall {
  readonly #account: Account;
  readonly #holder: Holder;
  readonly #call: BaseCall;
  /** What it costs besides its request and its answers. */
  readonly #base: number;
  readonly #streams: boolean;
  /** Whether no message of its request has been passed on. */
  #arriving = true;
  /** Of its request: what has arrived and is not passed on. */
  #request = 0;
  #answers = 0;
  /** So much of it is in the account. */
  #counted = 0;
  /** When the request, or its next message, began to arrive. */
  #requestSince = performance.now();
  /** When the last answer was taken, or the first one was written. */
  #answerSince = performance.now();
  #refused = false;
  #ended = false;
  /** Passes the message that waits for the answer before it to be taken. */
  #next: (() => void) | undefined;

  constructor(account: Account, tenant: string, call: BaseCall, streams: boolean) {
    this.#account = account;
    this.#call = call;
    this.#base = CALL_BYTES + sizeOf(call.metadata);
    this.#streams = streams;
    this.#holder = account.enter(tenant, this);
    this.#count();
  }

  get bytes(): number {
    return this.#counted;
  }

  /** Refuses it if there is no room for a call that has begun. */
  admit(): void {
    if (!this.#ended) this.#requireRoom();
  }

  /** A part of the request has arrived. */
  received(bytes: number): void {
    if (this.#refused || this.#ended) return;
    if (this.#request === 0 && !this.#arriving) this.#requestSince = performance.now();
    this.#request += bytes;
    this.#count();
    this.#requireRoom();
  }

  /** No more of the request arrives. A message that waits stays. */
  whole(): void {
    if (this.#next === undefined) this.#passed();
  }

  /**
   * The request, or one message of a stream of them, is passed on. gRPC then has at most the rest of a frame, for which
   * STREAM_BYTES suffices.
   */
  #passed(): void {
    this.#arriving = false;
    this.#request = 0;
    this.#requestSince = performance.now();
    this.#count();
  }

  /** @returns false if the answer is not to be written: the call has been refused. */
  mayAnswer(bytes: number): boolean {
    if (this.#refused) return false;
    // Nothing of it is held, and no other call is dropped for it.
    if (this.#ended) return true;
    if (this.#account.hasRoom(this.#holder, bytes)) return true;
    this.#refuse('leaves more answers unread than the front may hold');
    return false;
  }

  /** An answer was written, or taken. */
  look(): void {
    if (this.#ended) return;
    const { writableLength } = this.#call.stream;
    if (this.#answers === 0 || writableLength < this.#answers) this.#answerSince = performance.now();
    this.#answers = writableLength;
    this.#count();
    if (writableLength > 0) return;
    const next = this.#next;
    // Before it is called: it may set another one, and none is served twice.
    this.#next = undefined;
    next?.();
  }

  /** Passes on a message of a stream of requests once no answer is held. It counts until then. */
  passWhenTaken(next: () => void): void {
    const pass = () => {
      this.#passed();
      next();
    };
    if (this.#answers === 0) pass();
    else this.#next = pass;
  }

  /** Ends it, if it has been held for too long. */
  expire(now: number): void {
    const incomplete = (this.#arriving || this.#request > 0) && this.#next === undefined;
    if (incomplete && now - this.#requestSince > REQUEST_MS) {
      this.#refuse(`has not completed its request within ${REQUEST_MS / 1000} s`);
    } else if (this.#answers > 0 && now - this.#answerSince > ANSWER_MS) {
      this.#close();
    }
  }

  /** Drops it for a call of a tenant that holds less. */
  drop(): void {
    if (this.#answers > 0) this.#close();
    else this.#refuse('holds most of what the front may hold');
    this.end();
  }

  /** The stream is closed, or will be. */
  end(): void {
    this.#ended = true;
    this.#next = undefined;
    this.#count();
    this.#account.leave(this.#holder, this);
  }

  /** Brings the account up to date. */
  #count(): void {
    const base = this.#arriving || this.#request > 0 ? this.#base : 0;
    const stream = this.#streams && this.#answers > 0 ? STREAM_BYTES : 0;
    const bytes = this.#ended ? 0 : base + this.#request + stream + this.#answers;
    this.#account.change(this.#holder, bytes - this.#counted);
    this.#counted = bytes;
  }

  #requireRoom(): void {
    if (!this.#account.hasRoom(this.#holder, 0))
      this.#refuse('sends more than the front may hold of requests that are not complete');
  }

  #close(): void {
    this.#refused = true;
    this.#call.stream.destroy();
  }

  /** Answers with the fault, and closes the stream, so that no more of the request arrives. */
  #refuse(what: string): void {
    if (this.#refused) return;
    this.#refused = true;
    const { stream } = this.#call;
    const reason = `Tenant ${this.#holder.key} ${what}.`;
    this.#call.sendStatus(grpcFault(statusOf(new VkmemError('UNAVAILABLE', reason, { whose: 'user' }))));
    stream.close(constants.NGHTTP2_NO_ERROR);
  }
}

export class HeldBytes {
  readonly #account = new Account();
  readonly #tenantOf: (address: string) => string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param tenantOf the key of the tenant of a connection, by its address. */
  constructor(tenantOf: (address: string) => string | undefined) {
    this.#tenantOf = tenantOf;
  }

  /** The bytes of all tenants. */
  get size(): number {
    return this.#account.total;
  }

  /** Observes a call. It gets gRPC's own call, so no interceptor before it may wrap that. */
  readonly interceptor: ServerInterceptor = ({ requestStream }, intercepting) => {
    const call = intercepting as unknown as BaseCall;
    const { stream } = call;
    const key = this.#tenantOf(call.getPeer()) ?? '';
    const held = new HeldCall(this.#account, key, call, requestStream);
    // Once gRPC has begun it.
    queueMicrotask(() => held.admit());
    this.#timer ??= setInterval(() => this.#expire(), LOOK_MS).unref();
    stream.on('data', ({ length }: Buffer) => held.received(length));
    stream.once('end', () => held.whole());
    stream.once('close', () => held.end());
    const send = call.sendMessage.bind(call);
    call.sendMessage = (message, sent) => {
      if (!held.mayAnswer((message as Partial<Uint8Array>).length ?? 0)) return;
      send(message, () => {
        held.look();
        sent();
      });
      held.look();
    };
    if (!requestStream) return intercepting as ServerInterceptingCall;
    const listener = new ServerListenerBuilder().withOnReceiveMessage((message, next) => {
      held.passWhenTaken(() => next(message));
    });
    return new ServerInterceptingCall(intercepting, { start: (next) => next(listener.build()) });
  };

  #expire(): void {
    const now = performance.now();
    const { calls } = this.#account;
    for (const call of calls) call.expire(now);
    if (calls.length > 0) return;
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
