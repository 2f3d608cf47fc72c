/**
 * Reload: reads the whole policy again, and replaces the one in force only if it has no fault. Grants stay;
 * the new rights apply from the next request on.
 *
 * One reload runs at a time. Requests that come while one runs share the next one: each of them gets the
 * result of files that were read after it came.
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
