/** The cost of very many tickets: that their allocation ends, and that they expire together. */
import '../support/without-hooks.js';

import t from 'tap';
import { slices } from 'vkmemd/dist/limits/slices.js';
import type { TicketTerms } from 'vkmemd/dist/memory/ticket/tickets.js';
import { Tickets } from 'vkmemd/dist/memory/ticket/tickets.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { allocateOn } from '../support/core.js';
import { costOf, linear } from '../support/cost.js';
import { driverUnderTest } from '../support/daemon.js';
import { persistedCore } from '../support/persisted-core.js';
import { peer, policyOf, rule } from '../support/quotas.js';

process.env.VK_DRIVER_FILES = driverUnderTest();
t.setTimeout(300_000);

const TICKETS = 2500;
const identity = peer(1);

const device = await Device.open();
t.teardown(() => device.close());
const { core, ledger } = persistedCore(t, device, policyOf([rule({ connect: true, maxTickets: undefined })]));
const terms = { kinds: ['MAPPABLE'], access: 'ro', uses: 1, validMs: 60_000, forUid: undefined } as const;

/** Makes tickets of an allocation, in one transaction. */
function make(tickets: Tickets, allocation: TicketTerms['subject'], count: number): void {
  core.persistence.together(() => {
    for (let at = 0; at < count; at += 1) tickets.create(identity, { ...terms, subject: allocation });
  });
}

t.test('an allocation with very many tickets ends', async (t) => {
  await linear(t, TICKETS, async (count) => {
    const allocation = await allocateOn(core, identity, { name: 'one' });
    make(core.tickets, allocation, count);
    t.equal(ledger.tickets.all.length, count);
    const ended = costOf(async () => {
      const freed = core.draining.free(allocation);
      t.notOk(
        core.tickets.after(undefined, core.tickets.size).some((ticket) => core.tickets.isUsable(ticket)),
        'none can be used any more',
      );
      await Promise.all([freed, slices.idle()]);
    });
    const cost = await ended;
    t.same([core.tickets.size, ledger.tickets.all.length, core.quotas.tenants.toArray().length], [0, 0, 0]);
    return cost;
  });
});

t.test('very many tickets expire together', async (t) => {
  const allocation = await allocateOn(core, identity, { name: 'one' });
  let now = 0;
  const clocks = { now: () => now, date: () => now };
  const take = () => core.quotas.of(identity).take('tickets');
  const tickets = new Tickets(take, () => {}, clocks, core.persistence.journal);
  t.teardown(() => tickets[Symbol.dispose]());
  await linear(t, TICKETS, async (count) => {
    make(tickets, allocation, count);
    now += terms.validMs;
    make(tickets, allocation, 1);
    const cost = await costOf(async () => {
      tickets.expire();
      await slices.idle();
    });
    t.equal(tickets.size, 1, 'one has not expired yet');
    now += terms.validMs;
    tickets.expire();
    await slices.idle();
    t.same([tickets.size, ledger.tickets.all.length], [0, 0]);
    return cost;
  });
  await core.draining.free(allocation);
  t.same([core.registry.live, core.quotas.tenants.toArray().length], [0, 0]);
});
