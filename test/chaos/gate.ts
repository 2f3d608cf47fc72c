/**
 * A gate that every actor passes before it acts; no actor passes while it is shut. Actions in progress end by
 * themselves; shut() resolves when they have.
 */
export class Gate {
  #shut = false;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];
  #empty: (() => void) | undefined;

  /** Runs an action inside the gate. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    while (this.#shut) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#inside += 1;
    try {
      return await work();
    } finally {
      this.#inside -= 1;
      if (this.#inside === 0) this.#empty?.();
    }
  }

  /** Resolves when no action is inside. */
  async shut(): Promise<void> {
    this.#shut = true;
    if (this.#inside > 0) {
      await new Promise<void>((resolve) => {
        this.#empty = resolve;
      });
    }
  }

  open(): void {
    this.#shut = false;
    for (const pass of this.#waiting.splice(0)) pass();
  }
}
