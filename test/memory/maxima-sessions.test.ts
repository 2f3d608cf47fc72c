/** The cost of as many sessions as a daemon has by default: that their connections end together, and reloads. */
import '../support/without-hooks.js';

import { NOTHING_HELD } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import type { Core } from 'vkmemd/dist/core.js';
import { slices } from 'vkmemd/dist/limits/slices.js';
import type { Allocation } from 'vkmemd/dist/memory/allocation/allocation.js';
import type { ClientProcess } from 'vkmemd/dist/memory/session/client-process.js';
import type { Session } from 'vkmemd/dist/memory/session/session.js';
import type { Policy } from 'vkmemd/dist/policy/policy.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { allocateOn, coreOn } from '../support/core.js';
import { costOf, linear } from '../support/cost.js';
import { driverUnderTest } from '../support/daemon.js';
import { persistedCore } from '../support/persisted-core.js';
import { LET_IN, peer, policyOf, rule } from '../support/quotas.js';

process.env.VK_DRIVER_FILES = driverUnderTest();
t.setTimeout(300_000);

/** Four times as many are the default of `sessions`. */
const SESSIONS = 2500;
const TENANTS = 100;

const device = await Device.open();
t.teardown(() => device.close());
const policy = policyOf([LET_IN]);

/** A process that is not watched, in place of ten thousand pidfds. */
const process_ = {
  pid: 0,
  exited: false,
  watch: () => NOTHING_HELD,
  pidfd: () => undefined,
  closeUnwatched() {},
} as unknown as ClientProcess;

/** Sessions of several tenants, each with a grant of the allocation. */
function begin(core: Core, allocation: Allocation, count: number): Session[] {
  const sessions: Session[] = [];
  core.persistence.together(() => {
    for (let at = 0; at < count; at += 1) {
      const session = core.lifecycle.begin(peer(1000 + (at % TENANTS)), '', process_);
      const id = core.grants.lastId + 1n;
      const grant = {
        id,
        allocation,
        session,
        kind: 'MAPPABLE',
        access: 'ro',
        lock: undefined,
        fds: 1,
      } as const;
      core.grants.restore(grant);
      core.grants.skipIds(id);
      void core.persistence.begun(session);
      sessions.push(session);
    }
  });
  return sessions;
}

/** Ends them as their connections do (daemon/handoff/peer.ts): as many in one turn as a slice has time for. */
async function endAll({ lifecycle }: Core, sessions: readonly Session[]): Promise<void> {
  const ended: Promise<void>[] = [];
  await slices.run({ key: 'sessions', name: 'sessions' }, sessions, (session) => {
    ended.push(lifecycle.end(session));
  });
  await Promise.all(ended);
}

async function endTogether(t: Test, core: Core): Promise<void> {
  const allocation = await allocateOn(core, peer(1), { name: 'shared' });
  await linear(t, SESSIONS, async (count) => {
    const sessions = begin(core, allocation, count);
    return costOf(() => endAll(core, sessions));
  });
  t.same([core.sessions.size, core.grants.size, core.quotas.tenants.toArray().length], [0, 0, 1]);
  await core.draining.free(allocation);
  t.same([core.registry.live, core.fds.leased], [0, 0]);
}

t.test('very many sessions end together', (t) => endTogether(t, coreOn(device, { policy, faults: [] })));

t.test('very many persisted sessions end together', async (t) => {
  const { core, ledger } = persistedCore(t, device, policy);
  await endTogether(t, core);
  t.same(ledger.sessions.all, []);
});

t.test('a policy is replaced while as many tenants have sessions, and they end', async (t) => {
  const core = coreOn(device, { policy, faults: [] });
  const policies = [1, 2].map((max) => policyOf([rule({ connect: true, maxTickets: max })]));
  let reloads = 0;
  const tenants = (count: number) =>
    Array.from({ length: count }, (_, at) => core.lifecycle.begin(peer(1000 + at), '', process_));
  await linear(t, SESSIONS, async (count) => {
    const sessions = tenants(count);
    reloads += 1;
    const cost = await costOf(async () => {
      core.authority.replace(policies[reloads % 2] as Policy);
      await slices.idle();
    });
    t.same(
      new Set(core.quotas.tenants.toArray().map((tenant) => core.quotas.ofTenant(tenant).terms.tickets)),
      new Set([1 + (reloads % 2)]),
    );
    await endAll(core, sessions);
    return cost;
  });
  await linear(t, SESSIONS, async (count) => {
    const sessions = tenants(count);
    return costOf(() => endAll(core, sessions));
  });
  t.same([core.sessions.size, core.quotas.tenants.toArray().length, core.fds.leased], [0, 0, 0]);
});
