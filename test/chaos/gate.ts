/**
 * Gate: whoever acts passes it first, and nobody does while it is shut. What is under way ends by itself;
 * shut() resolves when it has.
 */
export class Gate {
  #shut = false;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];
  #empty: (() => void) | undefined;

  /** Does something inside. */
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

  /** Resolves when nobody is inside. */
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
