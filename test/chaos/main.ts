/**
 * The chaos harness: clients that violate the protocol, hang and are killed, against one daemon, and the
 * invariants that must hold nevertheless.
 *
 *   npm run --silent chaos -- --seed 1 --minutes 2 [--driver fake] [--json]
 *
 * It starts a daemon of its own in a folder of its own and leaves nothing behind. Progress is printed on
 * standard error, the report on standard output; the exit code is 1 if an invariant was violated or a
 * latency is above its limit, 2 if the harness itself failed.
 */
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { behaviours } from './behaviours/index.js';
import { DRIVERS, type DriverName } from './driver.js';
import { Guardian } from './guardian.js';
import { reportOf, table } from './report.js';
import { type RunOptions, run } from './run.js';
import { asRoot } from './tenants.js';

const HELP = `npm run --silent chaos -- [options]

  --seed TEXT      the seed of all random choices; default: the time
  --minutes M      the duration, with warm-up and quiet phase; default 2
  --driver NAME    ${DRIVERS.join(' or ')}; default lavapipe
  --only A,B       only these behaviours, of
                   ${behaviours.map(({ name }) => name).join(', ')}
  --actions N      in place of minutes: N actions of each attacker, without latencies
  --front-kills N  in place of minutes: the attack lasts until the front was lost N times
  --log FILE       writes every action, actor by actor; the same for the same seed and options
  --json           one JSON object in place of a table
  --help

As root, the daemon, victims and attackers are different users, and the daemon's surroundings are disturbed: the file
system of its ledger is full at times, and its memory short. Otherwise this, and behaviours that need other users, are
left out.`;

const usage = (text: string): never => {
  process.stderr.write(`chaos: ${text}\n\n${HELP}\n`);
  process.exit(64);
};

function positive(name: string, text: string): number {
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? value : usage(`--${name}: ${text} is not a positive number`);
}

function parse() {
  try {
    return parseArgs({
      options: {
        seed: { type: 'string' },
        minutes: { type: 'string' },
        driver: { type: 'string' },
        only: { type: 'string' },
        actions: { type: 'string' },
        'front-kills': { type: 'string' },
        log: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (failure) {
    return usage((failure as Error).message);
  }
}

const given = parse();
if (given.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}
const driver = DRIVERS.find((name): name is DriverName => name === (given.driver ?? 'lavapipe'));
if (!driver) usage(`there is no driver ${given.driver}`);
const only = given.only?.split(',') ?? [];
for (const name of only) {
  if (!behaviours.some((behaviour) => behaviour.name === name)) usage(`there is no behaviour ${name}`);
}

const guardian = new Guardian();
const folder = mkdtempSync(join(tmpdir(), 'vkmemd-chaos-'));
// Other users must traverse it.
chmodSync(folder, 0o711);
guardian.willRemove(folder);
const options: RunOptions = {
  seed: given.seed ?? String(Date.now()),
  driver: driver as DriverName,
  minutes: positive('minutes', given.minutes ?? '2'),
  actions: given.actions === undefined ? undefined : positive('actions', given.actions),
  frontKills: given['front-kills'] === undefined ? undefined : positive('front-kills', given['front-kills']),
  only,
  folder,
  guardian,
  logged: given.log !== undefined,
  say: (text) => void process.stderr.write(`chaos: ${text}\n`),
};
options.say(`seed ${options.seed}${asRoot ? '' : '; not root: all processes have one uid'}`);
// The guardian ends the remaining processes when this process has ended.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.once(signal, () => process.exit(code));
}
try {
  const result = await run(options);
  const report = reportOf(options, result);
  if (given.log !== undefined) writeFileSync(given.log, result.chronicle.log());
  process.stdout.write(`${given.json ? JSON.stringify(report) : table(report)}\n`);
  process.exitCode = report.held ? 0 : 1;
} catch (failure) {
  process.stderr.write(`chaos: seed ${options.seed}: the harness failed: ${(failure as Error).stack}\n`);
  process.exitCode = 2;
} finally {
  await guardian.close();
}
