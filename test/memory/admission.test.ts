/**
 * Admission on a scripted driver: however queries, answers and allocations interleave, no more is admitted
 * than the driver allowed when it was queried, and bytes that were in use then are not treated as free.
 */
import t from 'tap';
import { Budget } from 'vkmemd/dist/memory/accounting/budget.js';
import { type Charge, Ledger } from 'vkmemd/dist/memory/accounting/ledger.js';
import type { Tenant } from 'vkmemd/dist/policy/tenant.js';
import { fc } from '../support/properties.js';
import { payer } from '../support/quotas.js';

interface Reported {
  readonly budget: bigint;
  readonly usage: bigint;
}

const SIZE = 1000n;

/** A ledger that records the balance at the moment of each charge. */
class WitnessedLedger extends Ledger {
  readonly usedWith = new Map<Charge, bigint>();

  override charge(bytes: bigint, heap: number, tenant: Tenant): Charge {
    const charge = super.charge(bytes, heap, tenant);
    const { live, draining, pending } = this.heap(heap);
    this.usedWith.set(charge, live + draining + pending);
    return charge;
  }
}

interface Question {
  readonly number: number;
  answer: (reported: Reported[]) => void;
  reported?: Reported;
  foreign: bigint;
  admitted: Promise<void>;
}

/**
 * A driver with its own and other processes' memory, whose queries and answers occur at moments that the test
 * chooses.
 */
class Scenario {
  readonly ledger = new WitnessedLedger(1);
  readonly budget: Budget;
  reported: Reported = { budget: SIZE, usage: 0n };
  foreign = 0n;
  /** Bytes that the driver counts, by their charge. */
  readonly existing = new Set<Charge>();
  readonly charges: Charge[] = [];
  readonly asked: Question[] = [];
  /** The latest question that was answered: it decides what is asked soon after. */
  latest: Question | undefined;
  #questions = 0;
  broken = '';
  /** Requests that no new question decided. */
  reused = 0;
  admissions = 0;

  constructor() {
    const memoryBudget = () =>
      new Promise<Reported[]>((answer) => {
        const number = this.#questions;
        this.#questions += 1;
        this.asked.push({ number, answer, foreign: 0n, admitted: Promise.resolve() });
      });
    const source = { info: { heaps: [{ size: SIZE }] }, memoryBudget };
    const fault = (what: string) => {
      this.broken = what;
    };
    this.budget = new Budget(source, this.ledger, { elevated: 80, critical: 95 }, { fault });
  }

  request(bytes: bigint): void {
    const questions = this.#questions;
    const admitted = this.budget.admit(bytes, 0, payer(this.ledger, 1));
    const anew = this.#questions > questions;
    const question = anew ? this.asked.at(-1) : this.latest;
    if (!question) throw new Error('the driver was not queried');
    if (!anew) this.reused += 1;
    const decided = admitted.then(
      (charge) => {
        this.charges.push(charge);
        this.admissions += 1;
        const { budget = 0n } = question.reported ?? {};
        const limit = budget < SIZE ? budget : SIZE;
        const used = question.foreign + (this.ledger.usedWith.get(charge) ?? 0n);
        if (used > limit) this.broken = `${used} are used of ${limit}`;
      },
      ({ code }) => {
        if (code !== 'BUDGET_EXCEEDED') this.broken = `refused with ${code}`;
      },
    );
    question.admitted = Promise.all([question.admitted, decided]).then(() => {});
  }

  /** The driver takes a sample of its state. */
  look(pick: number): void {
    const open = this.asked.filter(({ reported }) => !reported);
    const question = open[pick % open.length];
    if (!question) return;
    const ours = [...this.existing].reduce((sum, { bytes }) => sum + bytes, 0n);
    question.reported = { ...this.reported, usage: this.foreign + ours };
    question.foreign = this.foreign;
  }

  /** A sample arrives: one answer, or all pending ones at once. */
  async deliver(pick: number, all: boolean): Promise<void> {
    const seen = this.asked.filter(({ reported }) => reported);
    const given = all ? seen : seen.slice(pick % Math.max(seen.length, 1)).slice(0, 1);
    for (const { answer, reported } of given) answer(reported ? [reported] : []);
    for (const question of given) {
      this.asked.splice(this.asked.indexOf(question), 1);
      if (question.number >= (this.latest?.number ?? 0)) this.latest = question;
    }
    await Promise.all(given.map(({ admitted }) => admitted));
  }

  /** Advances one allocation by one step; `fails` ends it before it starts. */
  step(pick: number, fails: boolean): void {
    const charge = this.charges[pick % Math.max(this.charges.length, 1)];
    if (!charge) return;
    if (charge.state === 'pending' && fails && !this.existing.has(charge)) charge.settle();
    else if (charge.state === 'pending' && !this.existing.has(charge)) this.existing.add(charge);
    else if (charge.state === 'pending') charge.commit();
    else if (charge.state === 'live') charge.drain();
    else if (this.existing.has(charge)) this.existing.delete(charge);
    else charge.settle();
    if (charge.state === 'settled') this.charges.splice(this.charges.indexOf(charge), 1);
  }

  /** Delivers all samples and ends all allocations. */
  async finish(): Promise<void> {
    while (this.asked.length > 0) {
      this.look(0);
      await this.deliver(0, true);
    }
    while (this.charges.length > 0) this.step(0, false);
  }
}

const bytes = fc.bigInt({ min: 1n, max: 400n });
const pick = fc.nat(50);
const command = fc.oneof(
  bytes.map((size) => (scenario: Scenario) => scenario.request(size)),
  pick.map((which) => (scenario: Scenario) => scenario.look(which)),
  fc.tuple(pick, fc.boolean()).map((args) => (scenario: Scenario) => scenario.deliver(...args)),
  fc.tuple(pick, fc.boolean()).map((args) => (scenario: Scenario) => scenario.step(...args)),
  fc.tuple(pick, fc.boolean()).map((args) => (scenario: Scenario) => scenario.step(...args)),
  fc.bigInt({ min: 0n, max: SIZE + 200n }).map((budget) => (scenario: Scenario) => {
    scenario.reported = { budget, usage: 0n };
  }),
  fc.bigInt({ min: 0n, max: 300n }).map((foreign) => (scenario: Scenario) => {
    scenario.foreign = foreign;
  }),
);

t.test('no interleaving admits more than the driver allowed', async (t) => {
  let [admissions, reused] = [0, 0];
  const property = fc.asyncProperty(
    fc.array(command, { minLength: 20, maxLength: 150, size: 'max' }),
    async (commands) => {
      const scenario = new Scenario();
      for (const run of commands) {
        await run(scenario);
        if (scenario.broken) throw new Error(scenario.broken);
      }
      await scenario.finish();
      if (scenario.broken) throw new Error(scenario.broken);
      if (!scenario.ledger.empty) throw new Error('the ledger is not empty');
      admissions += scenario.admissions;
      reused += scenario.reused;
    },
  );
  await fc.assert(property, { numRuns: 1000 });
  t.ok(admissions > 1000, `${admissions} admissions`);
  t.ok(reused > 100, `${reused} requests were decided by recent figures`);
});
