/**
 * Random histories of requests, with writes of the ledger and of the fd store that fail, and a daemon that is
 * killed between and within requests and starts, compared with a model of the answers that clients got
 * (../support/survival-model.ts). VKMEMD_SURVIVAL_RUNS is the number of histories, VKMEMD_SEED repeats them; what is
 * under way at a kill depends on time as well.
 */
import { spawn } from 'node:child_process';
import t from 'tap';
import { fc } from '../support/properties.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { commandsOf } from '../support/survival-commands.js';
import { allocate } from '../support/survival-requests.js';
import { policyText, SurvivalWorld } from '../support/survival-world.js';
import { nothingLeft } from './support.js';

const RUNS = Number(process.env.VKMEMD_SURVIVAL_RUNS ?? 8);
/** Of a history. */
const MAX_COMMANDS = 50;
const SEED = Number(process.env.VKMEMD_SEED ?? Date.now() % 2 ** 31);

const privileged = process.getuid?.() === 0;

/** What each history begins with, so that its first requests have something to act on. */
const FIRST = [
  // Memory to which other memory is copied, to read it.
  { kind: 'MAPPABLE', sharing: 'SHARED', name: 'scratch', publishable: false },
  { kind: 'MAPPABLE', sharing: 'SHARED', name: 'a', publishable: true },
  { kind: 'MAPPABLE', sharing: 'SHARED', name: '', publishable: false },
  { kind: 'OPAQUE_FD', sharing: 'EXCLUSIVE', name: 'b', publishable: false },
] as const;

async function furnish(world: SurvivalWorld): Promise<void> {
  for (const terms of FIRST) {
    const one = allocate({ ...terms, which: 0, requestId: false }).plan(world);
    await one?.served(await one.send());
  }
  world.scratch = world.model.byName('scratch');
}

t.setTimeout(120_000 + RUNS * 60_000);

t.test(`${RUNS} random histories with kills agree with the model`, async (t) => {
  t.comment(`figure: survival, seed ${SEED} (VKMEMD_SEED)`);
  const tmpfs = privileged ? { tmpfs: '2m' } : {};
  const daemon = await SupervisedDaemon.start(t, { ...tmpfs, policy: policyText(0) });
  const holder = spawn('sleep', ['100000'], { stdio: 'ignore' });
  t.teardown(() => holder.kill('SIGKILL'));
  const happened = new Map<string, number>();
  const history = fc.commands(commandsOf(privileged), { maxCommands: MAX_COMMANDS, size: 'max' });
  await fc.assert(
    fc.asyncProperty(history, async (commands) => {
      const world = new SurvivalWorld(daemon, holder.pid ?? 0);
      try {
        await world.begin();
        await furnish(world);
        await fc.asyncModelRun(() => ({ model: world.model, real: world }), commands);
        await world.end();
      } catch (failure) {
        console.error(`${world.log.join('\n')}\n${daemon.log.slice(-8000)}`);
        throw failure;
      } finally {
        world.close();
      }
      for (const [what, times] of world.model.happened) happened.set(what, (happened.get(what) ?? 0) + times);
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  );
  const all = [...happened].map(([what, times]) => `${what}: ${times}`).sort();
  t.comment(`seed ${SEED}: ${all.join(', ')}`);
  t.ok((happened.get('restart') ?? 0) >= RUNS / 2, `${happened.get('restart')} restarts`);
  await nothingLeft(t, daemon);
});
