/**
 * Fifty SIGKILLs at pseudo-random moments, during starts and during service, while twenty workers write,
 * verify, allocate, claim each other's memory and free: no byte is lost or wrong, and the workers' records
 * equal the daemon's state.
 */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { NOTHING } from '../support/daemon.js';
import { until } from '../support/supervised-daemon.js';
import { Booted, SERVICE } from './booted.js';
import { Crew } from './crew.js';
import { figure } from './figures.js';
import { unbootable } from './namespaces.js';
import { randomOf } from './random.js';

const WORKERS = 20;
const KILLS = 50;
/** With 1, everything is compared after each kill, which takes some minutes. */
const KILLS_TO_AUDIT = Number(process.env.VKMEMD_TEST_KILLS_TO_AUDIT ?? 10);
/** The fraction of the kills that occur during service. */
const IN_SERVICE = 0.2;
const LONGEST_IN_SERVICE_MS = 600;
const LONGEST_IN_START_MS = 1200;
const SEED = Number(process.env.VKMEMD_TEST_SEED ?? 20_261_121);

const timeout = (KILLS / KILLS_TO_AUDIT) * 60_000;

t.setTimeout(timeout);
t.test('fifty kills lose no memory and no byte', { skip: unbootable(), timeout }, async (t) => {
  t.comment(`seed ${SEED} (VKMEMD_TEST_SEED)`);
  const random = randomOf(SEED);
  const booted = await Booted.start(t, 'RestartSec=0\n');
  const crew = await Crew.start(t, booted, WORKERS);
  await crew.audit(t, 'at first');
  crew.work();

  const [readyTimes, absences]: [number[], number[]] = [[], []];
  let before = '';
  let killedAt = 0;
  let inStart = 0;
  const ready = async () => {
    const at = await booted.ready(before);
    if (killedAt > 0) readyTimes.push(at - killedAt);
  };
  /** One that was killed before, and is still ending, may be gone once its unit's state is known. */
  const kill = () =>
    until('a daemon to kill', async () => {
      if (booted.pids().length === 0) return undefined;
      const state = await booted.show(SERVICE, 'ActiveState', 'InvocationID');
      return booted.pids().length === 0 ? undefined : { ...state, at: booted.signal('SIGKILL') };
    });
  for (let kills = 1; kills <= KILLS; kills += 1) {
    const inService = random() < IN_SERVICE || kills % KILLS_TO_AUDIT === 1;
    if (inService) await ready();
    // The other kills occur at any moment of a start, if the start takes no longer than this.
    await pause(random() * (inService ? LONGEST_IN_SERVICE_MS : LONGEST_IN_START_MS));
    const { ActiveState, InvocationID, at } = await kill();
    if (ActiveState !== 'active') inStart += 1;
    before = InvocationID;
    killedAt = at;
    if (kills % KILLS_TO_AUDIT > 0) continue;
    await ready();
    killedAt = 0;
    const reports = await crew.audit(t, `${kills} kills`);
    absences.push(...reports.flatMap(({ absences }) => absences.map(({ from, to }) => to - from)));
    crew.work();
  }
  const each = KILLS_TO_AUDIT === 1; // then all occur during service
  t.ok(each || (inStart > KILLS / 10 && inStart < KILLS), `${inStart} of the kills occurred during a start`);
  figure(t, 'from a SIGKILL to ready', readyTimes);
  figure(t, 'a worker without service, through one or several', absences);
  await crew.end();
  const { ids, live, counts } = await crew.has();
  t.strictSame({ ids, live }, { ids: [], live: 0n });
  t.match(counts, NOTHING);
  await booted.emptyStore();
});
