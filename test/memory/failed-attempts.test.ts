/**
 * Invalid tickets, on a clock that the test controls: how many are looked up, the answers, and the log
 * entries.
 */
import type { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { tenantOfUid as tenant } from 'vkmemd/dist/policy/tenant.js';
import { CLAIMANT, MAKER, table, user } from './ticket-table.js';

t.test('each user has 10 invalid attempts at once, then one a second', async (t) => {
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
  t.same(await redeem(good), { retry_after_ms: '1000' }, 'a valid one is not looked up either');
  t.same(
    [claims[CLAIMANT.uid], await redeem(good, 3), claims[3]],
    [0, {}, 1],
    'other users are not affected',
  );
  clock.now += 400;
  t.same(await redeem(wrong), { retry_after_ms: '600' }, 'a refused attempt does not extend the delay');
  clock.now += 600;
  t.same(
    [await redeem(good), await redeem(good), claims[CLAIMANT.uid]],
    [{}, {}, 2],
    'valid attempts are not counted',
  );
  t.same([await redeem(wrong), await redeem(good)], [{}, { retry_after_ms: '1000' }]);

  t.strictSame(notes, ['tenant 2 presented invalid tickets: 1'], 'the first is reported at once');
  clock.now += 59_000;
  for (let i = 0; i < 5000; i += 1) await redeem(wrong);
  t.equal(notes.length, 2, 'and their number once a minute');
  clock.now += 30_000;
  attempts.look();
  t.equal(notes.length, 2);
  clock.now += 30_000;
  attempts.look();
  const [, second, third] = notes.map((note) => Number(/tickets: (\d+)$/.exec(note)?.[1]));
  t.equal((second ?? 0) + (third ?? 0), refused - 1, 'all are counted');
  t.equal(notes.length, 3);
  t.equal(attempts.size, 1);
  clock.now += 60_000;
  attempts.look();
  t.equal(attempts.size, 0, 'a user that stopped is removed');
  for (let uid = 0; uid < 10_000; uid += 1) attempts.count(tenant(uid));
  t.equal(attempts.size, 4096, 'at most 4096 users are recorded');
});
