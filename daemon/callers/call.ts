/**
 * One call of the front that is under way, and the credit for its answers.
 *
 * Credit is what bounds the bytes of a call that are on their way: the front returns it as the caller takes
 * answers, so a caller that does not read stops its own call, and nothing is buffered here for it.
 */
import { type Draft, VkmemError } from '@vkmemd/proto';
import { CREDIT, PART_BYTES } from '../link/link.js';
import { partsOf } from '../link/parts.js';

/** Sends one answer of the call with this id. */
export type SendAnswer = (id: bigint, answer: Draft<'Answer'>) => void;

export class CallUnderWay {
  readonly id: bigint;
  readonly #send: SendAnswer;
  /** Created where a stream needs it. */
  #end: AbortController | undefined;
  /** Why it ends. */
  #fault: VkmemError | undefined;
  readonly #deadline: number;
  readonly #maxCredit: number;
  #credit: number;
  #onCredit: (() => void) | undefined;
  #cancelled = false;

  /**
   * @param timeoutMs what is left until the caller's deadline; 0 without a deadline.
   * @param credit for answers, at most CREDIT.
   */
  constructor(id: bigint, timeoutMs: number, send: SendAnswer, credit: number = CREDIT) {
    this.#maxCredit = credit;
    this.#credit = credit;
    this.id = id;
    this.#send = send;
    this.#deadline = timeoutMs > 0 ? performance.now() + timeoutMs : Number.POSITIVE_INFINITY;
  }

  /** Whether its answer has no receiver any more. */
  get cancelled(): boolean {
    return this.#cancelled || performance.now() > this.#deadline;
  }

  /** Aborted when the call is cancelled, or is to end. */
  get signal(): AbortSignal {
    this.#end ??= new AbortController();
    if (this.#fault) this.#end.abort(this.#fault);
    return this.#end.signal;
  }

  /** The answer has no receiver any more. */
  cancel(): void {
    this.#cancelled = true;
    this.end(new VkmemError('UNAVAILABLE', 'The call was cancelled.'));
  }

  /** Ends a stream with the fault. Of another call it ends only the wait for credit. */
  end(fault: VkmemError): void {
    this.#fault ??= fault;
    this.#end?.abort(fault);
    this.#onCredit?.();
  }

  /** The front has room for this many more answers. */
  addCredit(answers: number): void {
    this.#credit = Math.min(this.#maxCredit, this.#credit + answers);
    this.#onCredit?.();
  }

  /**
   * Sends an answer, in parts as the front has room.
   * @returns undefined if all was sent at once; otherwise resolves when it is, or rejects with the fault that
   *   ends the call.
   * @throws the fault that ends the call.
   */
  answer(response: Uint8Array, last: boolean): Promise<void> | undefined {
    if (response.length > PART_BYTES || this.#credit === 0) return this.#answerInParts(response, last);
    this.#sendPart(response, false, last);
    return undefined;
  }

  async #answerInParts(response: Uint8Array, last: boolean): Promise<void> {
    for (const { part, more } of partsOf(response)) {
      while (this.#credit === 0) {
        if (this.#fault) throw this.#fault;
        await new Promise<void>((resolve) => {
          this.#onCredit = resolve;
        });
        this.#onCredit = undefined;
      }
      this.#sendPart(part, more, last && !more);
    }
  }

  #sendPart(response: Uint8Array, more: boolean, last: boolean): void {
    if (this.#fault) throw this.#fault;
    this.#credit -= 1;
    this.#send(this.id, { response, more, last });
  }

  /** Reports that a stream has begun, before its first answer. It needs no credit. */
  begin(): void {
    if (!this.cancelled && !this.#fault) this.#send(this.id, { begun: true });
  }

  /** Sends the failure that ends the call. It needs no credit. */
  fail(status: Draft<'Status'>): void {
    if (!this.#cancelled) this.#send(this.id, { status, last: true });
  }
}
