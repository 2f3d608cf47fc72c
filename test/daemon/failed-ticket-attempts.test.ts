/**
 * Guessing tickets fails, without an effect on the daemon or on other users; the attempts are logged at a
 * limited rate.
 */
import { errorOf } from '@vkmemd/proto';
import t from 'tap';
import { HOLDER, kinds, OTHER, skip, start, until } from './ticket-support.js';

t.test(
  "after too many failed attempts a user's tickets are rejected for a while, valid ones too",
  { skip },
  async (t) => {
    const { daemon, owner, control, allocation, tenants, end } = await start(t, HOLDER, OTHER);
    const [claimant, other] = tenants;
    const { secret } = await control.call('CreateTicket', { allocation, uses: 1000 });
    t.match((await claimant.ask({ claim: { ticket: secret } })).seen, [{ text: 'dcba' }]);
    const wrong = `vkt_${'A'.repeat(22)}`;
    let underWay = true;
    const attempts = claimant.attempt(5000, wrong, secret).finally(() => {
      underWay = false;
    });
    let served = 0;
    while (underWay) {
      for (const fd of (await owner.ask({ claim: { allocation, kinds } })).fds) fd.close();
      await other.ask({ claim: { ticket: secret } });
      served += 2;
    }
    const { answers, last } = await attempts;
    t.equal(answers.size, 1, 'every attempt gets the same answer, including those with a valid ticket');
    t.match([...answers], [[/ticket is unknown, used up, expired/, 5001]]);
    t.ok(served > 0, `${served} requests of others were served meanwhile`);
    const wait = Number(last?.retry_after_ms);
    t.ok(wait > 0 && wait <= 1000, `the answer requires a wait of ${wait} ms`);
    for (const ticket of ['x', wrong.toLowerCase(), `${wrong}A`, 'x'.repeat(60_000)]) {
      await t.rejects(claimant.ask({ claim: { ticket } }), { code: 'TICKET_INVALID', reason: '' });
    }
    await until(async () => {
      const second = await claimant.ask({ claim: { ticket: secret } }).catch(() => undefined);
      return second?.seen[0]?.text === 'dcba';
    });
    t.pass('the valid ticket is served later');

    // Root is an operator and has the same limit: trying reveals no secret.
    for (const ticket of [...Array.from({ length: 30 }, () => wrong), secret])
      owner.send({ claim: { ticket } });
    for (let i = 0; i < 31; i += 1) {
      const { error } = (await owner.next()).message;
      if (errorOf(error as never).code !== 'TICKET_INVALID') t.fail('a ticket of root was served');
    }

    const notes = () => daemon.log().match(/tenant \d+ presented invalid tickets: \d+/g) ?? [];
    // The log comes through a separate pipe, after the answers.
    await until(async () => notes().length >= 2);
    t.strictSame(
      notes().sort(),
      ['tenant 0 presented invalid tickets: 1', `tenant ${HOLDER} presented invalid tickets: 1`],
      'each tenant is logged once in this minute',
    );
    const listed = JSON.stringify(await control.call('ListTickets', {}), (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    for (const text of [daemon.log(), listed]) {
      t.notOk(
        text.includes(secret) || text.includes(secret.slice(4)) || text.includes(wrong),
        'it contains no secret',
      );
    }
    await end();
  },
);
