/**
 * The delays between attempts to reach the daemon again: the first attempt is immediate, then each delay is
 * random below a bound that doubles, until a time limit.
 */
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

const { Backoff, pause } = (await import(join(root, 'client/typescript/dist/connection/backoff.js'))) as {
  Backoff: new (forMs: number) => { readonly left: number; next(): number | undefined };
  pause(ms: number, signals: readonly AbortSignal[], sooner?: Promise<unknown>): Promise<void>;
};

const BOUNDS = [0, 50, 100, 200, 400, 800, 1600, 2000, 2000, 2000];

t.test('a delay is random below a bound that doubles', async (t) => {
  const drawn = Array.from({ length: 200 }, () => {
    const backoff = new Backoff(60_000);
    return BOUNDS.map(() => backoff.next() ?? -1);
  });
  for (const [at, bound] of BOUNDS.entries()) {
    const waits = drawn.map((waits) => waits[at] ?? -1);
    const [least, max] = [Math.min(...waits), Math.max(...waits)];
    t.ok(least >= 0 && max <= bound, `${least} to ${max} of at most ${bound} ms`);
    if (bound > 0) t.ok(least < bound / 4 && max > (3 * bound) / 4, 'spread over the whole range');
  }
});

t.test('the delays end with the time limit', async (t) => {
  const none = new Backoff(0);
  t.same([none.next(), none.next(), none.left], [0, undefined, 0], 'there is always a first attempt');
  const short = new Backoff(20);
  short.next();
  await new Promise((resolve) => setTimeout(resolve, 5));
  for (let attempt = 0; attempt < 20; attempt += 1)
    t.ok((short.next() ?? 0) <= 20, 'no longer than the time left');
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(short.next(), undefined);
});

t.test('a pause can be cut short', async (t) => {
  const enough = new AbortController();
  await pause(60_000, [enough.signal], Promise.resolve());
  await pause(60_000, [enough.signal], Promise.reject(new Error('rejected, which also ends the pause')));
  const cut = pause(60_000, [enough.signal]);
  enough.abort();
  await cut;
  await pause(60_000, [enough.signal]);
  await pause(1, []);
  t.pass('no pause lasted a minute');
});
