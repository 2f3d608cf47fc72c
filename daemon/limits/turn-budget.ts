/** A budget of short pieces of work for each turn of the event loop, shared by all who do that work. */
export class TurnBudget {
  readonly #perTurn: number;
  #left: number;

  /** @param perTurn the maximum number of pieces in one turn. */
  constructor(perTurn: number) {
    this.#perTurn = perTurn;
    this.#left = perTurn;
  }

  /** @returns whether one more piece may be done in this turn. If not, it must be tried again in a later one. */
  take(): boolean {
    if (this.#left === 0) return false;
    if (this.#left === this.#perTurn) {
      setImmediate(() => {
        this.#left = this.#perTurn;
      });
    }
    this.#left -= 1;
    return true;
  }
}
