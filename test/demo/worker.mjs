/**
 * What both workers do: time their steps, tell the result in one line, and hold on until they are let go.
 */

/** Times steps. `step(name, work)` returns what the work returns. */
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
