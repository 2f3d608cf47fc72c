/**
 * The calls that the front makes to the core: each is sent with the number of its caller, and gets its
 * answers, or a status, by the link.
 *
 * The front decides nothing: who the caller is and what it may do is the core's to say. A call whose
 * caller has gone is cancelled.
 */
import type { Decoded } from '@vkmemd/proto';
import type { Link } from '../link/link.js';
import { Parts, partsOf } from '../link/parts.js';

/** What a caller sent with a request. */
export interface CallMetadata {
  readonly sessionToken?: string;
  readonly timeoutMs?: number;
  readonly traceparent?: string;
  readonly protocolVersion?: string;
}

/** What a call gets. Exactly one of `last` answer and `failed` ends it. */
export interface Receiver {
  /**
   * An answer.
   * @param last no more follow.
   * @param taken to be called when there is room for another one.
   */
  answer(response: Uint8Array, last: boolean, taken: () => void): void;
  failed(status: Decoded<'Status'>): void;
  /** The core has accepted a stream, which has no answer yet. */
  begun?(): void;
}

/** A call under way. */
export interface PendingCall {
  /** Its caller has gone. */
  cancel(): void;
}

interface Pending {
  readonly receiver: Receiver;
  readonly caller: bigint;
  readonly parts: Parts;
  untaken: number;
}

export class CoreCalls {
  #link: Link<'ToCore', 'ToFront'> | undefined;
  readonly #pending = new Map<bigint, Pending>();
  /** The ids of the pending calls, by their caller. */
  readonly #ofCaller = new Map<bigint, Set<bigint>>();
  #id = 0n;

  /** Before the first call. */
  connect(link: Link<'ToCore', 'ToFront'>): void {
    this.#link = link;
  }

  /**
   * Makes a call.
   * @param caller the number of the connection that it came by.
   * @param method the name of the request in the table of requests.
   * @param request encoded; at most MAX_CALL_BYTES.
   */
  call(
    caller: bigint,
    method: string,
    request: Uint8Array,
    metadata: CallMetadata,
    receiver: Receiver,
  ): PendingCall {
    this.#id += 1n;
    const id = this.#id;
    let rest: CallMetadata = metadata;
    for (const { part, more } of partsOf(request)) {
      this.#link?.send({ id, call: { caller, method, request: part, more, ...rest } });
      rest = {};
    }
    this.#pending.set(id, { receiver, caller, parts: new Parts(), untaken: 0 });
    const ids = this.#ofCaller.get(caller);
    if (ids) ids.add(id);
    else this.#ofCaller.set(caller, new Set([id]));
    return {
      cancel: () => {
        if (this.#remove(id)) this.#link?.send({ id, cancel: {} });
      },
    };
  }

  /** The connection of a caller has ended, and with it its calls. */
  hangUp(caller: bigint): void {
    for (const id of this.#ofCaller.get(caller) ?? []) this.#remove(id);
    this.#link?.send({ hangup: { number: caller } });
  }

  /** An answer has arrived. That of a call that was cancelled is ignored. */
  receive(id: bigint, { response, status, last, more, begun }: Decoded<'Answer'>): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    if (status) {
      this.#remove(id);
      pending.receiver.failed(status);
      return;
    }
    if (begun) {
      pending.receiver.begun?.();
      return;
    }
    const whole = pending.parts.add(response, more);
    if (!whole) {
      this.#link?.send({ id, credit: { answers: 1 } });
      return;
    }
    if (last) this.#remove(id);
    pending.untaken += 1;
    pending.receiver.answer(whole, last, () => this.#taken(id, pending));
  }

  /** @returns false if the call had ended before. */
  #remove(id: bigint): boolean {
    const pending = this.#pending.get(id);
    if (!pending) return false;
    this.#pending.delete(id);
    const ids = this.#ofCaller.get(pending.caller);
    ids?.delete(id);
    if (ids?.size === 0) this.#ofCaller.delete(pending.caller);
    return true;
  }

  #taken(id: bigint, pending: Pending): void {
    const answers = pending.untaken;
    pending.untaken = 0;
    if (answers > 0 && this.#pending.has(id)) this.#link?.send({ id, credit: { answers } });
  }
}
