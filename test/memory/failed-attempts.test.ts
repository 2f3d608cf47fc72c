/**
 * Wrong tickets on a clock of the test's: how many are looked up, who is told what, and what an operator
 * hears of it.
 */
import type { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { tenantOfUid as tenant } from 'vkmemd/dist/policy/tenant.js';
import { CLAIMANT, MAKER, table, user } from './ticket-table.js';

t.test('wrong attempts: 10 at once, then one a second, each user for itself', async (t) => {
  const { clock, tickets, terms, notes, attempts } = table();
  const good = tickets.create(MAKER, terms({ uses: 1000, validMs: 1e9 })).secret;
  const claims = { [CLAIMANT.uid]: 0, 3: 0 };
  let refused = 0;
  const redeem = (secret: string, uid = CLAIMANT.uid) =>
    tickets
      .redeem(secret, user(uid), async () => {
        claims[uid] = (claims[uid] ?? 0) + 1;
        return {};
      })
      .catch((failure: VkmemError) => {
        refused += 1;
        return failure.metadata;
      });
  const wrong = 'vkt_AAAAAAAAAAAAAAAAAAAAAA';
  for (let i = 0; i < 10; i += 1) t.same(await redeem(wrong), {});
  t.same(await redeem(wrong), { retry_after_ms: '1000' }, 'the eleventh is not looked up');
  t.same(await redeem(good), { retry_after_ms: '1000' }, 'nor is a good one');
  t.same([claims[CLAIMANT.uid], await redeem(good, 3), claims[3]], [0, {}, 1], 'others are not concerned');
  clock.now += 400;
  t.same(await redeem(wrong), { retry_after_ms: '600' }, 'a refused one does not make it longer');
  clock.now += 600;
  t.same(
    [await redeem(good), await redeem(good), claims[CLAIMANT.uid]],
    [{}, {}, 2],
    'good ones cost nothing',
  );
  t.same([await redeem(wrong), await redeem(good)], [{}, { retry_after_ms: '1000' }]);

  t.strictSame(notes, ['tenant 2 presented invalid tickets: 1'], 'the first is reported at once');
  clock.now += 59_000;
  for (let i = 0; i < 5000; i += 1) await redeem(wrong);
  t.equal(notes.length, 2, 'and how many, once in a minute');
  clock.now += 30_000;
  attempts.look();
  t.equal(notes.length, 2);
  clock.now += 30_000;
  attempts.look();
  const [, second, third] = notes.map((note) => Number(/tickets: (\d+)$/.exec(note)?.[1]));
  t.equal((second ?? 0) + (third ?? 0), refused - 1, 'none is missing');
  t.equal(notes.length, 3);
  t.equal(attempts.size, 1);
  clock.now += 60_000;
  attempts.look();
  t.equal(attempts.size, 0, 'who stopped is forgotten');
  for (let uid = 0; uid < 10_000; uid += 1) attempts.count(tenant(uid));
  t.equal(attempts.size, 4096, 'and however many there are, no more are remembered');
});
