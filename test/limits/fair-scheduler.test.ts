/** The fair scheduler: whatever the order of arrivals and ends, no limit is passed and no turn is left unused. */
import t from 'tap';
import { FairScheduler, type SchedulerLimits } from 'vkmemd/dist/limits/fair-scheduler.js';
import { fc } from '../support/properties.js';

const LIMITS: SchedulerLimits = { atOnce: 4, atOnceOfUser: 3, atOnceOfParty: 2, waitingOfParty: 1000 };
const [TENANTS, SESSIONS] = [3, 3];

interface Piece {
  readonly tenant: number;
  readonly session: number;
  readonly number: number;
  readonly end: () => void;
}

/** A scheduler, and what the test knows of its pieces. */
class Tried {
  readonly running: Piece[] = [];
  readonly waiting: Piece[] = [];
  readonly #scheduler = new FairScheduler(LIMITS);
  #number = 0;

  add(tenant: number, session: number): void {
    this.#number += 1;
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const piece = { tenant, session, number: this.#number, end };
    this.waiting.push(piece);
    const party = { tenant: { key: `uid:${tenant}`, name: String(tenant) }, session: BigInt(session) };
    void this.#scheduler.run(party, () => {
      this.waiting.splice(this.waiting.indexOf(piece), 1);
      this.running.push(piece);
      return ended;
    });
  }

  async end(at: number): Promise<void> {
    const [piece] = this.running.splice(at % this.running.length, 1);
    piece?.end();
    await settled();
  }

  count(of: (one: Piece) => boolean): number {
    return this.running.filter(of).length;
  }

  /** @throws Error if a limit is passed, or a piece waits that may begin, or a party's order is not kept. */
  check(): void {
    if (this.running.length > LIMITS.atOnce) throw new Error('too many at once');
    for (const { tenant, session } of this.running) {
      if (this.count((one) => one.tenant === tenant) > LIMITS.atOnceOfUser) throw new Error('of one tenant');
      if (this.count((one) => one.session === session) > LIMITS.atOnceOfParty)
        throw new Error('of one party');
    }
    for (const { tenant, session, number } of this.waiting) {
      const may =
        this.running.length < LIMITS.atOnce &&
        this.count((one) => one.tenant === tenant) < LIMITS.atOnceOfUser &&
        this.count((one) => one.session === session) < LIMITS.atOnceOfParty;
      if (may) throw new Error(`piece ${number} waits although it may begin`);
    }
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

t.test('no limit is passed, no turn is left unused, and every piece begins', async (t) => {
  const step = fc.record({
    adds: fc.boolean(),
    tenant: fc.nat(TENANTS - 1),
    session: fc.nat(SESSIONS - 1),
    at: fc.nat(100),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const tried = new Tried();
      for (const { adds, tenant, session, at } of steps) {
        if (adds || tried.running.length === 0) tried.add(tenant, tenant * SESSIONS + session);
        else await tried.end(at);
        await settled();
        tried.check();
      }
      while (tried.running.length > 0) {
        await tried.end(0);
        tried.check();
      }
      return tried.waiting.length === 0;
    }),
    { numRuns: 200 },
  );
  t.pass('for random arrivals and ends');
});

t.test('many waiting parties of a tenant at its limit are not looked at again for each end', async (t) => {
  const scheduler = new FairScheduler({ ...LIMITS, atOnce: 2, atOnceOfUser: 1, atOnceOfParty: 1 });
  let looks = 0;
  const busy = {
    name: '1',
    get key() {
      looks += 1;
      return 'uid:1';
    },
  };
  let open = () => {};
  const blocked = new Promise<void>((resolve) => {
    open = resolve;
  });
  const all = Array.from({ length: 10_000 }, (_, at) =>
    scheduler.run({ tenant: busy, session: BigInt(at) }, () => blocked),
  );
  const other = { tenant: { key: 'uid:2', name: '2' } };
  const both = () =>
    Promise.all([scheduler.run(other, async () => {}), scheduler.run(other, async () => {})]);
  await both();
  const before = looks;
  for (let round = 0; round < 100; round += 1) await both();
  t.equal(looks, before, 'they were put aside at the first end');
  open();
  await Promise.all(all);
});
