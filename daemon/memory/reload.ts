/**
 * Reload: the policy is read again, whole, and only where all of it is well does it replace the one in force.
 * What was granted stays granted; from the next request on the new rights hold.
 *
 * One reload runs at a time. Whoever asks while one runs is answered by the one after it, which all who ask
 * meanwhile share: each of them sees what the files said after it had asked.
 */
import { asVkmemError, type VkmemError } from '@vkmemd/proto';
import type { Policy } from '../policy/policy.js';
import type { Authority } from './authority.js';

export class Reload {
  readonly #authority: Authority;
  readonly #read: () => Promise<Policy>;
  /** The last one that began; never rejects. */
  #running: Promise<unknown> = Promise.resolve();
  /** The one that begins when that has ended. */
  #next: Promise<Policy> | undefined;
  #failure: VkmemError | undefined;

  /** @param read reads everything anew, or fails with what is wrong. */
  constructor(authority: Authority, read: () => Promise<Policy>) {
    this.#authority = authority;
    this.#read = read;
  }

  /** Why the last reload that ended changed nothing; undefined where it did, or there was none. */
  get failure(): VkmemError | undefined {
    return this.#failure;
  }

  /**
   * Resolves to the policy that is now in force.
   * @throws VkmemError POLICY_INVALID, with the old policy in force.
   */
  run(): Promise<Policy> {
    if (!this.#next) {
      this.#next = this.#after(this.#running);
      this.#running = this.#next.catch(() => {}); // reported to the callers
    }
    return this.#next;
  }

  async #after(before: Promise<unknown>): Promise<Policy> {
    await before;
    this.#next = undefined;
    try {
      const policy = await this.#read();
      this.#authority.replace(policy);
      this.#failure = undefined;
      return policy;
    } catch (failure) {
      this.#failure = asVkmemError(failure);
      throw failure;
    }
  }
}
