/**
 * Reload: reads the whole policy again and replaces the current one only if the new one is valid. Existing
 * grants stay. The new rights apply to every request from then on.
 *
 * One reload runs at a time. Requests that arrive during a reload share the next one, so each of them gets
 * the result of files that were read after it arrived.
 */
import { asVkmemError, type VkmemError } from '@vkmemd/proto';
import type { Policy } from '../policy/policy.js';
import type { Authority } from './authority.js';

/** A reload that failed. */
export interface ReloadFailure {
  readonly error: VkmemError;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export class Reload {
  readonly #authority: Authority;
  readonly #read: () => Promise<Policy>;
  /** The reload that began last. Never rejects. */
  #running: Promise<unknown> = Promise.resolve();
  /** The reload that begins when `#running` has ended. */
  #next: Promise<Policy> | undefined;
  #failure: ReloadFailure | undefined;
  readonly #listeners: (() => void)[] = [];

  /**
   * @param read reads all policy files; rejects with the fault found in them.
   * @param failure Why the policy in force is an earlier one, from the start on.
   */
  constructor(authority: Authority, read: () => Promise<Policy>, failure?: ReloadFailure) {
    this.#authority = authority;
    this.#read = read;
    this.#failure = failure;
  }

  /** Why the files are not in force: the fault of the start or of the last completed reload; otherwise undefined. */
  get failure(): ReloadFailure | undefined {
    return this.#failure;
  }

  /** Calls the listener after each reload. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Resolves to the policy that is in force now.
   * @throws VkmemError POLICY_INVALID; the old policy stays in force.
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
      this.#failure = { error: asVkmemError(failure), at: Date.now() };
      throw failure;
    } finally {
      for (const listener of this.#listeners) listener();
    }
  }
}
