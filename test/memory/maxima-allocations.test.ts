/**
 * The cost of as many allocations as a kernel's default maps: that their session ends, that they are found by name,
 * read for the metrics, and followed by many watchers. Their device memory is one, shared in the test: a software
 * driver would need minutes.
 */
import '../support/without-hooks.js';

import { setImmediate } from 'node:timers/promises';
import { NOTHING_HELD } from '@vkmemd/proto';
import t from 'tap';
import { Allocation } from 'vkmemd/dist/memory/allocation/allocation.js';
import type { ClientProcess } from 'vkmemd/dist/memory/session/client-process.js';
import type { Session } from 'vkmemd/dist/memory/session/session.js';
import { readState } from 'vkmemd/dist/metrics/state.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { allocateOn, coreOn, statusOf } from '../support/core.js';
import { costOf, linear } from '../support/cost.js';
import { driverUnderTest } from '../support/daemon.js';
import { LET_IN, peer, policyOf } from '../support/quotas.js';

process.env.VK_DRIVER_FILES = driverUnderTest();
t.setTimeout(300_000);

/** Four times as many are about what vm.max_map_count permits by default. */
const ALLOCATIONS = 15_000;
const WATCHERS = 64;

const device = await Device.open();
t.teardown(() => device.close());
const core = coreOn(device, { policy: policyOf([LET_IN]), faults: [] });
const identity = peer(1);
const unwatched = { pid: 0, exited: false, watch: () => NOTHING_HELD, closeUnwatched() {} };
const real = await allocateOn(core, identity, { name: 'real' });
const { plan, size, imported } = real.memory;

/** The results of the device's threads: Node-API calls a function for at most 1000 of them in one turn. */
class Results {
  readonly #waiting: (() => void)[] = [];

  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) void this.#turn();
    });
  }

  async #turn(): Promise<void> {
    while (this.#waiting.length > 0) {
      await setImmediate();
      for (const resolve of this.#waiting.splice(0, 1000)) resolve();
    }
  }
}
const results = new Results();
/** Memory of that allocation that ends without an end of the real one. */
const memory = {
  ...{ plan, size, imported, fds: 1, files: [] },
  freeDevice: () => results.next(),
  closeHandles: () => undefined,
  heldElsewhere: () => false,
  seesHolders: () => true,
} as unknown as Allocation['memory'];

function add(count: number, owner: Session | undefined): Allocation[] {
  return Array.from({ length: count }, (_, at) => {
    const charge = core.ledger.charge(size, 0, identity.tenant);
    charge.commit();
    const lifetime = owner ? 'SESSION' : 'NAMED';
    const terms = { ...real.terms, owner, lifetime, name: owner ? '' : `name-${at}` } as const;
    const allocation = new Allocation(terms, memory, charge, () => {});
    core.registry.add(allocation);
    return allocation;
  });
}

const begin = () => core.lifecycle.begin(identity, '', unwatched as unknown as ClientProcess);

t.test('the session that owns very many allocations ends', async (t) => {
  await linear(t, ALLOCATIONS, async (count) => {
    const session = begin();
    add(count, session);
    const cost = await costOf(() => core.lifecycle.end(session));
    t.same([core.registry.live, core.registry.draining], [1, 0]);
    return cost;
  });
});

t.test('very many names are found, and the metrics read', async (t) => {
  await linear(t, ALLOCATIONS, async (count) => {
    const all = add(count, undefined);
    const cost = await costOf(async () => {
      await readState({ ...core, status: statusOf(core), connectionCounts: () => ({}) });
      await core.reports.now();
      for (const at of [0, count - 1]) {
        const found = core.registry.find({ name: `name-${at}` }, identity, 'use');
        t.equal(found, all[at]);
      }
    });
    const session = begin();
    for (const allocation of all) await core.draining.free(allocation);
    await core.lifecycle.end(session);
    return cost;
  });
});

t.test('all watchers of a tenant read very many allocations', async (t) => {
  await linear(t, ALLOCATIONS / 50, async (count) => {
    const session = begin();
    add(count, session);
    const stop = new AbortController();
    const caller = { identity, session: undefined, gone: () => false };
    const watchers = Array.from({ length: WATCHERS }, () =>
      core.allocationWatch.follow(caller, true, stop.signal),
    );
    const cost = await costOf(() =>
      Promise.all(
        watchers.map(async (watcher) => {
          for (let read = 0; read <= count; read += 1) {
            await watcher.next();
            // As many as the front may have under way.
            if (read % 8 === 7) await setImmediate();
          }
        }),
      ),
    );
    stop.abort(new Error('over'));
    await Promise.all(watchers.map((watcher) => watcher.return(undefined as never)));
    await core.lifecycle.end(session);
    return cost;
  });
});

t.test('nothing is left', async (t) => {
  await core.draining.free(real);
  const { registry, sessions, grants, quotas, fds } = core;
  t.same(
    [
      registry.live,
      registry.draining,
      sessions.size,
      grants.size,
      quotas.tenants.toArray().length,
      fds.leased,
    ],
    [0, 0, 0, 0, 0, 0],
  );
});
