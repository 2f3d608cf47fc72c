/**
 * Tickets on a clock that the test controls: uses and expiry in any order agree with a model, no secret is
 * stored, and quotas are returned.
 */
import { inspect } from 'node:util';
import { disposable, VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { slices } from 'vkmemd/dist/limits/slices.js';
import { Tickets, type TicketTerms } from 'vkmemd/dist/memory/ticket/tickets.js';
import { fc } from '../support/properties.js';
import { CLAIMANT, fakeAllocation, MAKER, table, user } from './ticket-table.js';

const usableOf = (tickets: Tickets) =>
  tickets.after(undefined, tickets.size).filter((ticket) => tickets.isUsable(ticket));

const invalid = { code: 'TICKET_INVALID', reason: '' };

t.test('a secret is random and is not part of the ticket', async (t) => {
  const { tickets, terms } = table();
  const made = Array.from({ length: 100 }, () => tickets.create(MAKER, terms()));
  t.equal(new Set(made.map(({ secret }) => secret)).size, 100);
  for (const { secret, ticket } of made) {
    t.match(secret, /^vkt_[A-Za-z0-9_-]{22}$/);
    t.notOk(inspect([ticket, ticket.describe()], { depth: Infinity }).includes(secret.slice(4)));
  }
});

t.test('every invalid ticket gets the same answer', async (t) => {
  const { clock, tickets, terms } = table();
  const never = async () => t.fail('nothing is claimed');
  const make = (changes: Partial<TicketTerms> = {}) => tickets.create(MAKER, terms(changes));
  const used = make();
  await tickets.redeem(used.secret, CLAIMANT, async () => {});
  const revoked = make();
  tickets.end(revoked.ticket);
  const gone = make();
  tickets.endOf(gone.ticket.terms.subject);
  await slices.idle();
  const expired = make({ validMs: 1 });
  clock.now += 1;
  const forAnother = make({ forUid: 3 });
  const failures = [];
  for (const secret of [
    used.secret,
    revoked.secret,
    gone.secret,
    expired.secret,
    forAnother.secret,
    'vkt_AAAAAAAAAAAAAAAAAAAAAA',
    'x'.repeat(60_000),
    '\0',
  ]) {
    const failure = await tickets.redeem(secret, CLAIMANT, never).catch((error) => error);
    failures.push(inspect({ ...failure, message: failure.message, stack: undefined }));
  }
  t.equal(new Set(failures).size, 1, String(failures[0]));
  t.match(failures[0], /TICKET_INVALID/);
  await tickets.redeem(forAnother.secret, user(3), async ({ id }) => t.equal(id, forAnother.ticket.id));
});

t.test('setting the date does not change the validity of a ticket', async (t) => {
  const { clock, tickets, terms } = table();
  const { secret, ticket } = tickets.create(MAKER, terms({ uses: 3 }));
  const reported = ticket.describe().expiresAt;
  for (const date of [1e12, -1e12]) {
    clock.date = date;
    tickets.expire();
    await slices.idle();
    await tickets.redeem(secret, CLAIMANT, async () => {});
    t.strictSame(ticket.describe().expiresAt, reported);
  }
  tickets.requireValid(ticket);
  clock.now += 10_000;
  await t.rejects(
    tickets.redeem(secret, CLAIMANT, async () => {}),
    invalid,
  );
  t.throws(() => tickets.requireValid(ticket), invalid, 'a claim that waited past the expiry fails too');
});

t.test('expired tickets are removed without a request, and their quota is returned', async (t) => {
  const { clock, quota, tickets, terms } = table();
  const allocation = fakeAllocation();
  for (const validMs of [1000, 2000, 3000, 86_400_000 * 30])
    tickets.create(MAKER, terms({ validMs, subject: allocation }));
  t.equal(quota.taken, 4);
  clock.now += 2000;
  t.equal(usableOf(tickets).length, 2, 'not listed from that moment on');
  tickets.expire();
  await slices.idle();
  t.same([tickets.size, quota.taken], [2, 2]);
  tickets.endOf(allocation);
  await slices.idle();
  t.same([tickets.size, quota.taken], [0, 0]);

  const real = new Tickets(
    () => disposable(() => t.pass('the quota is returned')),
    () => {},
  );
  const { secret } = real.create(MAKER, terms({ validMs: 50 }));
  await new Promise((resolve) => setTimeout(resolve, 60));
  await t.rejects(
    real.redeem(secret, CLAIMANT, async () => {}),
    invalid,
    'at exactly the stated time',
  );
  for (let tries = 0; real.size > 0 && tries < 100; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.equal(real.size, 0, 'and soon it is removed');

  const full = new Tickets(
    () => {
      throw new VkmemError('QUOTA_EXCEEDED');
    },
    () => {},
  );
  t.throws(() => full.create(MAKER, terms()), { code: 'QUOTA_EXCEEDED' });
  t.equal(full.size, 0);
});

t.test('uses, failures, expiry and revocation in any order agree with a model', async (t) => {
  const step = fc.oneof(
    fc.record({
      what: fc.constant('create' as const),
      uses: fc.integer({ min: 1, max: 3 }),
      validMs: fc.nat(50),
    }),
    fc.record({
      what: fc.constantFrom('begin', 'succeed', 'fail', 'revoke', 'free' as const),
      pick: fc.nat(),
    }),
    fc.record({ what: fc.constant('wait' as const), ms: fc.nat(30) }),
    fc.record({ what: fc.constant('expire' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const { clock, quota, tickets, terms } = table();
      /** The test's record of each ticket. */
      const model: {
        secret: string;
        left: number;
        until: number;
        over: boolean;
        underWay: number;
        id: string;
      }[] = [];
      const claims: { finish: (well: boolean) => void; done: Promise<unknown>; of: number }[] = [];
      const usable = (one: (typeof model)[number] | undefined) =>
        one !== undefined && !one.over && one.left > 0 && clock.now < one.until;
      // A new claimant each time, so that no attempt is refused for too many failures.
      let claimant = 100;
      for (const step of steps) {
        if (step.what === 'create') {
          const { secret, ticket } = tickets.create(MAKER, terms(step));
          const until = clock.now + step.validMs;
          model.push({ secret, left: step.uses, until, over: false, underWay: 0, id: ticket.id });
        } else if (step.what === 'wait') {
          clock.now += step.ms;
        } else if (step.what === 'expire') {
          tickets.expire();
          await slices.idle();
        } else if (step.what === 'succeed' || step.what === 'fail') {
          const [claim] = claims.splice(step.pick % Math.max(1, claims.length), 1);
          const one = claim && model[claim.of];
          if (!claim || !one) continue;
          const well = step.what === 'succeed';
          claim.finish(well);
          await claim.done;
          one.underWay -= 1;
          if (!well) one.left += 1;
          if (one.left + one.underWay === 0) one.over = true;
        } else {
          const at = step.pick % Math.max(1, model.length);
          const one = model[at];
          const ticket = one && tickets.byId(one.id);
          if (!one) continue;
          if (step.what === 'begin') {
            claimant += 1;
            const expected = usable(one);
            let begun = false;
            let finish: (well: boolean) => void = () => {};
            const work = new Promise<void>((resolve, reject) => {
              finish = (well) => (well ? resolve() : reject(new Error('failed')));
            });
            const done = tickets
              .redeem(one.secret, user(claimant), () => {
                begun = true;
                return work;
              })
              .catch((error) => error);
            if (begun !== expected) throw new Error(`a claim ${begun ? 'began' : 'was refused'}`);
            if (begun) {
              one.left -= 1;
              one.underWay += 1;
              claims.push({ finish, done, of: at });
            } else if (!((await done) instanceof VkmemError)) throw new Error('refused without a code');
          } else if (ticket) {
            if (step.what === 'revoke') tickets.end(ticket);
            else tickets.endOf(ticket.terms.subject);
            await slices.idle();
            one.over = true;
          }
        }
        const listed = usableOf(tickets)
          .map(({ id }) => id)
          .sort();
        const expected = model.filter(usable).map(({ id }) => id);
        if (listed.join() !== expected.sort().join())
          throw new Error('the list differs from the usable tickets');
        if (tickets.size !== quota.taken) throw new Error('the quota differs from the tickets');
      }
      for (const { finish } of claims) finish(true);
      await Promise.all(claims.map(({ done }) => done));
      clock.now += 100;
      tickets.expire();
      await slices.idle();
      if (tickets.size + quota.taken > 0) throw new Error('tickets remain');
    }),
    { numRuns: 300 },
  );
  t.pass('the table agrees with the model');
});
