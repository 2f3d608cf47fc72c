/**
 * Processes that hold very much of a daemon (holder.ts). One user may have three quarters of what a daemon can hold, and
 * each of those with few a sixteenth. So where root runs this, several other users hold it, and the share of the user
 * whose claims are measured stays free.
 */
import { chmodSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HANDOFF_SOCKET } from '@vkmemd/proto';
import { Program } from './program.js';

export type What = 'sessions' | 'allocations';

/** Users that own nothing else. */
const FIRST_STRANGER = 65_500;
const MAX_HOLDERS = 9;
const OTHERS_MAY_SEARCH = 0o001;

export class Holders implements AsyncDisposable {
  /** Lines of the policy by which others may connect, after its `[limits]`. */
  static readonly RULE =
    '[[rule]]\nconnect = true\nmax_sessions = "unlimited"\nmax_allocations = "unlimited"\n';
  readonly #runtimeDir: string;
  readonly #what: What;
  readonly #processor: number;
  readonly #asOthers: boolean;
  readonly #holders: Program[] = [];
  /** Of those that can hold no more. */
  #held = 0;
  #full = false;

  /** @param processor Of the processes. */
  constructor(runtimeDir: string, what: What, processor: number) {
    this.#runtimeDir = runtimeDir;
    this.#what = what;
    this.#processor = processor;
    this.#asOthers = process.getuid?.() === 0 && admitOthers(runtimeDir);
  }

  /** Holds so much in all. @returns less, where that is not possible. */
  async hold(count: number): Promise<number> {
    while (!this.#full) {
      const wanted = count - this.#held;
      const holder = this.#holders.at(-1) ?? this.#start();
      holder.write(`${this.#what} ${wanted}`);
      const held = Number(await holder.line());
      if (held === wanted) return count;
      this.#held += held;
      if (held > 0 && this.#asOthers && this.#holders.length < MAX_HOLDERS) this.#start();
      else this.#full = true;
    }
    return this.#held;
  }

  #start(): Program {
    const uid = this.#asOthers ? FIRST_STRANGER + this.#holders.length : undefined;
    const holder = Program.node('holder', [this.#runtimeDir], { processor: this.#processor, uid });
    this.#holders.push(holder);
    return holder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#holders.map((holder) => holder.end()));
  }
}

/** Lets all users connect. @returns false where they cannot reach the folder. */
function admitOthers(runtimeDir: string): boolean {
  const folder = dirname(runtimeDir);
  for (let above = dirname(folder); ; above = dirname(above)) {
    if (!(statSync(above).mode & OTHERS_MAY_SEARCH)) return false;
    if (above === dirname(above)) break;
  }
  for (const path of [folder, runtimeDir]) chmodSync(path, 0o755);
  chmodSync(join(runtimeDir, HANDOFF_SOCKET), 0o666);
  return true;
}
