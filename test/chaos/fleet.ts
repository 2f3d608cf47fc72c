/**
 * The fleet: all clients of one daemon. Victims and attackers are different users if the harness is root;
 * otherwise all are the same user, whose own requests the policy does not deny, and behaviours that need
 * other users are left out.
 */
import { Attacker } from './attacker.js';
import type { Outsider } from './audit.js';
import type { Need } from './behaviour.js';
import type { Chronicle } from './chronicle.js';
import type { ChaosDaemon } from './daemon.js';
import { Driver } from './driver.js';
import type { ChaosFront } from './front.js';
import { Gate } from './gate.js';
import type { Guardian } from './guardian.js';
import type { Sample } from './messages.js';
import { Plan } from './plan.js';
import { Random } from './random.js';
import { REFUSED } from './surroundings.js';
import { ATTACKER_UIDS, asRoot, roleOf, userOf, VICTIM_UIDS } from './tenants.js';
import { Victim, type VictimEnd } from './victim.js';

export interface FleetSetting {
  readonly guardian: Guardian;
  readonly daemon: ChaosDaemon;
  readonly front: ChaosFront;
  readonly driver: Driver;
  readonly chronicle: Chronicle;
  readonly seed: string;
  /** Names of behaviours; all if it is empty. */
  readonly only: readonly string[];
}

export class Fleet {
  readonly gate = new Gate();
  readonly #setting: FleetSetting;
  #victims: Victim[] = [];
  #attackers: Attacker[] = [];
  #attacking: Promise<void> = Promise.resolve();

  constructor(setting: FleetSetting) {
    this.#setting = setting;
  }

  /** Starts the victims, which work from then on. */
  async beginVictims(sampled: (victim: number, samples: readonly Sample[]) => void): Promise<void> {
    const { guardian, daemon, front, driver, chronicle, seed } = this.#setting;
    const starts = VICTIM_UIDS.map((uid, index) =>
      Victim.start({
        guardian,
        user: userOf(uid),
        runtimeDir: daemon.runtimeDir,
        seed: `${seed}/victim/${index}`,
        // A user cannot use a name twice.
        memory: `frames-${index}`,
        expected: [...(driver.scripted ? Driver.REFUSED : []), ...(daemon.surroundings ? REFUSED : [])],
        sampled: (samples) => sampled(index, samples),
        unavailable: (atMs, why) => front.noteUnavailable(atMs, why),
        broke: (reason) => chronicle.broke(reason),
      }),
    );
    this.#victims = await Promise.all(starts);
    this.#setWorking();
  }

  #setWorking(): void {
    for (const victim of this.#victims) victim.work();
  }

  /**
   * Starts the attackers, until killAttackers() or `max` actions of each.
   * @param act part of the plan's seed: another act has other actions.
   */
  beginAttackers(act: string, max: number): void {
    const { guardian, daemon, driver, chronicle, seed, only } = this.#setting;
    const random = new Random(seed).fork(act);
    const prey = this.#victims.map((victim) => victim.prey);
    const scene = { runtimeDir: daemon.runtimeDir, daemonPid: daemon.pid, prey };
    const events = {
      began: chronicle.began.bind(chronicle),
      ended: chronicle.ended.bind(chronicle),
      failed: chronicle.broke.bind(chronicle),
    };
    this.#attackers = ATTACKER_UIDS.map((uid, index) => {
      const { importer, confined, refused } = roleOf(uid);
      const needs: readonly [Need, boolean][] = [
        ['others', asRoot],
        ['importer', importer],
        ['confined', asRoot && confined],
        ['refused', asRoot && refused],
        ['fake', driver.scripted],
      ];
      const has = new Set(needs.filter(([, there]) => there).map(([need]) => need));
      const plan = new Plan(`attacker ${index}`, random, has, only);
      const setting = { guardian, user: userOf(uid), scene, seed: `${seed}/${act}`, gate: this.gate, events };
      return new Attacker(plan, setting);
    });
    const runs = this.#attackers.map((attacker) =>
      attacker.run(max).catch((failure) => chronicle.broke(failure)),
    );
    this.#attacking = Promise.all(runs).then(() => {});
  }

  /** Resolves when every attacker has executed its actions. */
  get attacking(): Promise<void> {
    return this.#attacking;
  }

  /** Kills all attackers at any point of their actions. */
  async killAttackers(): Promise<void> {
    for (const attacker of this.#attackers) attacker.stop();
    this.gate.open();
    await Promise.all(this.#attackers.map((attacker) => attacker.kill()));
    await this.#attacking;
    this.#attackers = [];
  }

  /** Resolves when no client acts any more; open resources stay open. */
  async rest(): Promise<void> {
    await Promise.all([this.gate.shut(), ...this.#victims.map((victim) => victim.pause())]);
  }

  resume(): void {
    this.#setWorking();
    this.gate.open();
  }

  async endVictims(): Promise<VictimEnd[]> {
    const ends = await Promise.all(this.#victims.map((victim) => victim.end()));
    this.#victims = [];
    return ends;
  }

  /** All client processes; none if all are of one user. */
  outsiders(): Outsider[] {
    if (!asRoot) return [];
    const victims = this.#victims.map(({ prey: { pid, uid } }) => ({ pid, uid }));
    const attackers = this.#attackers.map(({ pid }, index) => ({
      pid: pid ?? 0,
      uid: ATTACKER_UIDS[index] as number,
    }));
    return [...victims, ...attackers].filter(({ pid }) => pid > 0);
  }
}
