/** The harness's actions depend on its seed alone: the plans, and the actions of a run. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { plainEnvironment, plainNode, temporaryFolder } from '../support/daemon.js';
import type { Action, Need } from './behaviour.js';
import { behaviours } from './behaviours/index.js';
import { Plan } from './plan.js';
import { Random } from './random.js';
import { ATTACKER_UIDS, asRoot } from './tenants.js';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));
const EVERYTHING: ReadonlySet<Need> = new Set(['others', 'importer', 'confined', 'fake']);

function actionsOf(seed: string, has: ReadonlySet<Need> = EVERYTHING): Action[] {
  const plan = new Plan('attacker 0', new Random(seed), has);
  return Array.from({ length: 2000 }, () => plan.next());
}

t.test('a seed always yields the same random values', async (t) => {
  const draw = (random: Random) => [
    random.bytes(9),
    random.below(7),
    random.between(3, 5),
    random.chance(0.5),
  ];
  t.strictSame(draw(new Random('a')), draw(new Random('a')));
  t.notSame(draw(new Random('a')), draw(new Random('b')));
  const [one, other] = [new Random('a'), new Random('a')];
  one.bytes(100);
  t.strictSame(
    draw(one.fork('x')),
    draw(other.fork('x')),
    'a fork does not depend on the values drawn before',
  );
  const counts = Array.from({ length: 10_000 }, () => one.below(4));
  for (const value of [0, 1, 2, 3]) {
    const share = counts.filter((count) => count === value).length / counts.length;
    t.ok(share > 0.2 && share < 0.3, `${value} occurs with a frequency of ${share}`);
  }
});

t.test('a seed always plans the same actions', async (t) => {
  const actions = actionsOf('1');
  t.ok(isDeepStrictEqual(actionsOf('1'), actions), 'the same seed');
  t.notOk(isDeepStrictEqual(actionsOf('2'), actions), 'another seed');
  t.ok(isDeepStrictEqual(JSON.parse(JSON.stringify(actions)), actions), 'and they are JSON');
  const seen = new Set(actions.map(({ name }) => name));
  const outside = new Set(actionsOf('1', new Set(['others', 'refused'])).map(({ name }) => name));
  const all = behaviours.map(({ name }) => name).sort();
  t.strictSame([...new Set([...seen, ...outside])].sort(), all, 'every behaviour occurs');
  t.notOk(seen.has('shut-out'), 'behaviours of refused users occur for refused users only');
  t.notOk(outside.has('worker'), 'which do no work');
  const fates = new Set(actions.map(({ fate }) => `${fate?.signal} ${fate?.end}`));
  t.strictSame([...fates].sort(), [
    'SIGKILL undefined',
    'SIGSTOP false',
    'SIGSTOP true',
    'undefined undefined',
  ]);
});

t.test('behaviours that are impossible here are not planned', async (t) => {
  const plain = new Set(actionsOf('1', new Set()).map(({ name }) => name));
  const needy = behaviours.filter(({ needs = [] }) => needs.length > 0).map(({ name }) => name);
  t.ok(needy.length > 3);
  t.strictSame(
    needy.filter((name) => plain.has(name)),
    [],
  );
});

async function logOf(seed: string, log: string): Promise<string> {
  const args = [MAIN, '--seed', seed, '--actions', '4', '--driver', 'fake', '--log', log];
  const child = spawn(...plainNode(args), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [report, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`the harness ended with ${code}: ${report}`);
  return readFileSync(log, 'utf8');
}

t.test('two runs with one seed perform the same actions', async (t) => {
  const folder = temporaryFolder(t);
  const seed = process.env.VKMEMD_SEED ?? '7';
  // Settled: the folder is removed once this ends.
  const runs = [logOf(seed, join(folder, 'one')), logOf(seed, join(folder, 'other'))] as const;
  await Promise.allSettled(runs);
  const [one, other] = await Promise.all(runs);
  t.equal(one, other);
  const actors = new Set(
    one
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as Action).actor),
  );
  t.strictSame(
    [...actors],
    [
      ...ATTACKER_UIDS.map((_, index) => `attacker ${index}`),
      'daemon',
      'driver',
      'front',
      ...(asRoot ? ['surroundings'] : []),
    ],
    'each attacker, the daemon, the driver, the front and the surroundings',
  );
});
