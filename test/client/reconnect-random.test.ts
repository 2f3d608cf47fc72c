/**
 * A daemon (a fake) that crashes at random moments, during requests and during Hello, before or after it
 * executed the request, with a client that sends many concurrent requests: at the end both hold the same, and
 * no byte is lost.
 */
import t from 'tap';
import type { Deed } from '../support/scripted-daemon.js';
import { staged } from './reconnect-support.js';

const WORKERS = 20;
const ROUNDS = 15;
const CRASHES: readonly Deed[] = ['crash', 'do-and-crash'];

/** Random numbers from 0 up to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

for (const seed of [1, 2]) {
  t.test(`random crashes lose no memory and no byte, seed ${seed}`, (t) =>
    staged(t, async (client, daemon) => {
      const random = randomOf(seed);
      const restored: boolean[] = [];
      let crashes = 0;
      /** Requests until the next crash: the client gives up one that is under way at two of them. */
      let apart = 0;
      client.on('reconnected', (how) => restored.push(how.restored));
      daemon.deed = ({ body }) => {
        if (body !== 'hello') apart -= 1;
        if (random() > (body === 'hello' ? 0.3 : 0.05) || (body !== 'hello' && apart > 0)) return 'answer';
        if (body !== 'hello') apart = 4 * WORKERS;
        crashes += 1;
        setTimeout(() => daemon.start(), random() * 5);
        return CRASHES[crashes % 2] ?? 'crash';
      };
      const work = async (worker: number) => {
        for (let round = 0; round < ROUNDS; round += 1) {
          const memory = await client.allocate({ size: 1 });
          const { bytes } = memory.map();
          bytes.fill(worker + 1);
          const claimed = await client.claim(memory);
          if (claimed.map().bytes.at(-1) !== worker + 1) throw new Error('bytes were lost');
          await (random() < 0.5 ? claimed.release() : undefined);
          await memory.free();
          if (!claimed.released) await claimed.release();
        }
      };
      const retained = await client.allocate({ size: 1 });
      const { bytes } = retained.map();
      bytes.fill(99);
      await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
      daemon.deed = () => 'answer';
      await (await client.claim(retained)).release();
      t.ok(crashes > 10, `${crashes} crashes, ${restored.length} reconnections`);
      t.ok(restored.every(Boolean), 'each restored the session');
      t.same(daemon.counts, { sessions: 1, allocations: 1, grants: 1 });
      t.equal(bytes.at(-1), 99);
    }),
  );
}
