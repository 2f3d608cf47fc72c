/**
 * One run: a daemon, its clients, and the invariants.
 *
 *   warm-up the same attack as later, so that heaps and pools reach their size; then all clients end, the
 *           daemon must hold nothing, and its resident memory is measured as the start
 *   quiet   victims alone: the time of their requests
 *   attack  victims and attackers; latencies are judged, accounts are audited
 *   end     the attackers are killed at any point; the victims release everything; all must be zero again
 *
 * A run with a number of actions has no warm-up and no quiet phase: it checks the actions, not their time.
 */
import { type Ended, endAll } from './aftermath.js';
import { Auditor } from './audit.js';
import { Chronicle } from './chronicle.js';
import { ChaosDaemon } from './daemon.js';
import { Driver, type DriverName } from './driver.js';
import { Fleet } from './fleet.js';
import { ChaosFront, type FrontReport } from './front.js';
import type { Guardian } from './guardian.js';
import { Interference } from './interference.js';
import { Latencies } from './latencies.js';
import { now } from './messages.js';
import type { Resident } from './proc.js';
import { Random } from './random.js';
import { growth, residentAtRest, residentText, untilSettled } from './resident.js';
import { rest } from './rest.js';
import { Surroundings } from './surroundings.js';
import { asRoot, DAEMON_USER, policy, VICTIM_UIDS } from './tenants.js';
import { slowness, Watch, type Watched } from './watch.js';

export interface RunOptions {
  readonly seed: string;
  readonly driver: DriverName;
  readonly minutes: number;
  /** In place of minutes: the number of actions of each attacker. */
  readonly actions: number | undefined;
  /** In place of minutes for the attack: the number of times that the front is lost. */
  readonly frontKills: number | undefined;
  /** Names of behaviours; all if it is empty. */
  readonly only: readonly string[];
  /** An existing folder, which the caller removes. */
  readonly folder: string;
  readonly guardian: Guardian;
  /** Whether the log of actions is kept. */
  readonly logged: boolean;
  say(text: string): void;
}

/** The results. */
export interface Result extends Ended {
  readonly device: string;
  readonly chronicle: Chronicle;
  readonly latencies: Latencies;
  readonly audits: Watch['audits'];
  readonly foreign: Watch['foreign'];
  /** How often the daemon was stopped. */
  readonly stops: number;
  readonly resident:
    | { readonly begin: Resident; readonly end: Resident; readonly peakKb: number }
    | undefined;
  readonly front: FrontReport;
  /** The errors that the daemon logged. */
  readonly faults: Readonly<Record<string, number>>;
}

/** Fractions of the whole time. */
const WARM_UP = { least: 1 / 6, max: 2 / 5 };
/** So that each front is one that served for a while, and is started again at once. */
const BETWEEN_KILLS_MS = [1000, 1300] as const;
/** How often a run that counts losses says how far it is. */
const REPORTS = 20;
const QUIET = { share: 1 / 8, maxMs: 15_000 };

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

/** @throws Error if the harness itself failed. */
export async function run(options: RunOptions): Promise<Result> {
  const { guardian, folder, seed, only, logged, say } = options;
  const user = asRoot ? DAEMON_USER : undefined;
  const driver = Driver.open(options.driver, user, (path) => guardian.willRemove(path));
  const env = driver.environment;
  const daemon = await ChaosDaemon.start(guardian, { folder, user, policy: policy(), env });
  say(`the daemon serves, on ${daemon.device}`);
  const chronicle = new Chronicle(logged);
  let ending = false;
  void daemon.ended.then(({ code, signal }) => {
    if (!ending) chronicle.fail(`the daemon ended with ${code ?? signal}: ${daemon.errors}`);
  });
  const auditor = await Auditor.begin(daemon);
  const front = new ChaosFront(daemon);
  const fleet = new Fleet({ guardian, daemon, front, driver, chronicle, seed, only });
  const latencies = new Latencies(VICTIM_UIDS.length);
  const acts = new Acts(options, driver, { daemon, front, auditor, fleet, chronicle, latencies });
  const result = await acts.play();
  for (const wrong of front.judge()) chronicle.record(wrong);
  for (const slow of front.slow()) chronicle.recordSlow(slow);
  await auditor.close();
  const left = (await daemon.surroundings?.left()) ?? 0;
  if (left > 0) chronicle.record(`${left} fds stayed in the fd store`);
  ending = true;
  const { code, signal } = await daemon.stop();
  if (code !== 0) chronicle.record(`the daemon ended with ${code ?? signal}`);
  for (const leak of driver.leaks()) chronicle.record(`the driver: ${leak}`);
  // With a driver that works correctly, the daemon must not log an error, whatever clients do.
  if (!driver.scripted) {
    for (const fault of daemon.faults.keys()) {
      if (!Surroundings.permits(fault)) chronicle.record(`it logged: ${fault}`);
    }
  }
  return { ...result, front: front.report(), faults: Object.fromEntries(daemon.faults) };
}

/** The acts of a run, one after the other. */
class Acts {
  readonly #options: RunOptions;
  readonly #driver: Driver;
  readonly #watched: Watched;
  readonly #watch: Watch;

  constructor(options: RunOptions, driver: Driver, watched: Watched) {
    this.#options = options;
    this.#driver = driver;
    this.#watched = watched;
    this.#watch = new Watch(watched);
  }

  async play(): Promise<Omit<Result, 'faults' | 'front'>> {
    const { actions } = this.#options;
    if (actions === undefined) return this.#inTime();
    const { fleet } = this.#watched;
    await fleet.beginVictims(() => {});
    await this.#attack('attack', () => fleet.attacking, { max: actions });
    return this.#result(await this.#end(), undefined);
  }

  async #inTime(): Promise<Omit<Result, 'faults' | 'front'>> {
    const { minutes, frontKills, say } = this.#options;
    const { fleet, daemon, chronicle } = this.#watched;
    const wholeMs = minutes * 60_000;
    const began = Date.now();
    say('warming up');
    await fleet.beginVictims(() => {});
    await this.#attack('warm-up', (signal) =>
      untilSettled(daemon, wholeMs * WARM_UP.least, wholeMs * WARM_UP.max, signal),
    );
    const warm = await this.#end();
    if (chronicle.brokenOff) return this.#result(warm, undefined);
    const begin = await residentAtRest(daemon);
    const quietMs = Math.min(wholeMs * QUIET.share, QUIET.maxMs);
    say(`victims alone for ${seconds(quietMs)}; ${residentText(begin)} are resident`);
    await this.#quiet(quietMs);
    const attackMs = Math.max(began + wholeMs - Date.now(), wholeMs / 4);
    say(
      frontKills === undefined
        ? `attacking for ${seconds(attackMs)}`
        : `losing the front ${frontKills} times`,
    );
    const enough = async (signal: AbortSignal) => {
      if (frontKills === undefined) await rest(attackMs, signal);
      else await this.#lose(frontKills, signal);
    };
    await this.#attack('attack', enough, { judged: true });
    for (const slow of this.#watched.latencies.overall()) chronicle.recordSlow(slowness(slow));
    const ended = await this.#end();
    if (chronicle.brokenOff) return this.#result(ended, undefined);
    const end = await residentAtRest(daemon);
    say(`${residentText(end)} are resident`);
    const grew = growth(begin, end);
    if (grew) chronicle.record(grew);
    return this.#result(ended, { begin, end, peakKb: this.#watch.peakKb });
  }

  /** Waits until the front was lost that often, and says how far it is. */
  async #lose(times: number, signal: AbortSignal): Promise<void> {
    const { front } = this.#watched;
    const step = Math.ceil(times / REPORTS);
    for (let next = step; front.lost < times && !signal.aborted; await rest(100, signal)) {
      if (front.lost < next) continue;
      this.#options.say(`the front was lost ${front.lost} of ${times} times`);
      next += step;
    }
  }

  #result(ended: Ended, resident: Result['resident']): Omit<Result, 'faults' | 'front'> {
    const { daemon, chronicle, latencies } = this.#watched;
    const stops = daemon.stops.length;
    return {
      ...ended,
      device: daemon.device,
      chronicle,
      latencies,
      audits: this.#watch.audits,
      foreign: this.#watch.foreign,
      stops,
      resident,
    };
  }

  /** Measures victims alone; they continue afterwards. */
  async #quiet(ms: number): Promise<void> {
    const { fleet, front, latencies, chronicle } = this.#watched;
    await fleet.beginVictims((victim, samples) => latencies.add(victim, front.heard(samples)));
    // Their first requests run while their code is being compiled.
    await rest(ms / 4);
    const fromMs = now();
    // On a slow machine it takes longer until there are enough samples.
    for (const max = fromMs + ms * 4; !chronicle.brokenOff && now() < max; await rest(200)) {
      if (now() > fromMs + (ms * 3) / 4 && latencies.enough(fromMs)) break;
    }
    const toMs = now();
    await rest(500);
    if (!chronicle.brokenOff) latencies.settle(fromMs, toMs);
  }

  /**
   * @param enough resolves when it has lasted long enough, or the signal ends it.
   * @param max actions of each attacker.
   * @param judged whether latencies are judged.
   */
  async #attack(
    act: string,
    enough: (signal: AbortSignal) => Promise<unknown>,
    { max = Number.POSITIVE_INFINITY, judged = false } = {},
  ): Promise<void> {
    const { fleet, daemon, front, chronicle } = this.#watched;
    if (chronicle.brokenOff) return;
    const fail = (failure: unknown) => chronicle.broke(failure);
    const random = new Random(this.#options.seed).fork(act);
    const bounded = Number.isFinite(max);
    const interference = new Interference(fleet.gate, (action) => chronicle.began(action), bounded ? 8 : 1);
    const often = this.#options.frontKills === undefined ? undefined : BETWEEN_KILLS_MS;
    const disturbed = [
      interference.stopDaemon(daemon, random, Math.ceil(max / 10)),
      interference.disturbSurroundings(daemon, random, Math.ceil(max / 10)),
      interference.disturbFront(front, random, Math.ceil(max / 10), often),
    ];
    if (this.#driver.scripted) disturbed.push(interference.disturbDriver(this.#driver, random, max));
    const interfering = Promise.all(disturbed).catch(fail);
    fleet.beginAttackers(act, max);
    const over = new AbortController();
    const watching = this.#watch.run(judged, over.signal).catch(fail);
    const lasting = bounded ? Promise.all([fleet.attacking, interfering]) : enough(over.signal);
    await Promise.race([lasting, chronicle.broken]);
    interference.end();
    over.abort();
    await Promise.all([watching, interfering]);
    this.#driver.disturb('');
  }

  async #end(): Promise<Ended> {
    const { fleet, auditor, chronicle } = this.#watched;
    try {
      return await endAll(fleet, auditor, chronicle);
    } catch (failure) {
      chronicle.broke(failure);
      return { victims: [], left: 0 };
    } finally {
      chronicle.requireSound();
    }
  }
}
