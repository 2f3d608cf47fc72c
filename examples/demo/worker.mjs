/**
 * Shared by both workers: time the steps, print the result in one line, and keep the resources until standard
 * input ends.
 */

/** Times steps. `step(name, work)` returns the result of the work. */
export class Steps {
  done = [];

  async step(name, work) {
    const begun = performance.now();
    const result = await work();
    this.done.push({ name, ms: Math.round((performance.now() - begun) * 100) / 100 });
    return result;
  }
}

/** Prints the result, then waits until standard input ends. */
export async function tellAndHold(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
  for await (const _ of process.stdin);
}
