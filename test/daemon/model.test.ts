/**
 * Random sequences of operations, checked against a model: sessions open and close; memory is allocated,
 * claimed, released, freed and copied, in any order, validly and invalidly. After each operation the daemon's
 * counts must equal the model's, and the readable bytes must be those that the model expects.
 */

import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { Model, Real } from '../support/model.js';
import { commands } from '../support/model-commands.js';
import { fc } from '../support/properties.js';

const SEQUENCES = 200;

t.test(`${SEQUENCES} random sequences agree with the model`, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const ran = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 100, size: 'max' }), async (sequence) => {
      const real = new Real(runtimeDir);
      const model = new Model();
      try {
        await fc.asyncModelRun(() => ({ model, real }), sequence);
        for (const name of model.performed) ran.set(name, (ran.get(name) ?? 0) + 1);
      } finally {
        await real.end();
      }
      await real.requireNothing();
    }),
    { numRuns: SEQUENCES },
  );
  t.ok(
    ran.size === 8,
    `every kind of operation occurred: ${[...ran].map((entry) => entry.join(' ')).join(', ')}`,
  );
});
