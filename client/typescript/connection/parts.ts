/**
 * Parts: an answer that arrives in several messages, until its last one.
 *
 * If a part cannot be received, the whole request fails with the last part: the fds of all parts are closed here, and
 * what they grant has to be released.
 */
import { closeAll, type Decoded, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { Answer } from './request.js';
import { type Undo, undoOf } from './truncated.js';

type Message = Decoded<'ServerMessage'>;

export class Parts {
  readonly #messages: Message[] = [];
  readonly #fds: OwnedFd[] = [];
  #next = 0;
  #failure: VkmemError | undefined;

  /** Why the request fails; undefined if every part so far was received. */
  get failure(): VkmemError | undefined {
    return this.#failure;
  }

  /** The answer, once the last part was added; the receiver owns its fds. */
  get answer(): Answer<never> {
    const parts = this.#messages.flatMap(({ allocateMany, claimMany }) => allocateMany ?? claimMany ?? []);
    const outcomes = parts.flatMap((part): unknown[] => part.outcomes);
    return {
      message: { part: 0, last: true, outcomes },
      fds: this.#fds.splice(0),
    } as unknown as Answer<never>;
  }

  /**
   * Adds a part.
   * @param fds Taken.
   * @param failure Why its fds were not received.
   * @returns Whether it is the last one, and the requests that release what has been granted in vain.
   * @throws VkmemError PROTOCOL_ERROR for a part out of order.
   */
  add(message: Message, fds: readonly OwnedFd[], failure?: VkmemError): { last: boolean; undo: Undo[] } {
    this.#fds.push(...fds);
    const { part, last } = message.allocateMany ?? message.claimMany ?? { part: -1, last: false };
    if (part !== this.#next) {
      this.drop();
      throw new VkmemError(
        'PROTOCOL_ERROR',
        `Part ${this.#next} of an answer was expected, but not ${part}.`,
      );
    }
    this.#next += 1;
    this.#messages.push(message);
    const failed = failure ?? this.#failure;
    return { last, undo: failed ? this.fail(failed) : [] };
  }

  /**
   * Fails the request.
   * @returns The requests that release what the parts since the last call have granted.
   */
  fail(reason: VkmemError): Undo[] {
    this.#failure ??= reason;
    closeAll(this.#fds.splice(0));
    return this.#messages.splice(0).flatMap(undoOf);
  }

  /** The connection has ended, and with it the answer: its fds are closed. */
  drop(): void {
    closeAll(this.#fds.splice(0));
    this.#messages.length = 0;
  }
}
