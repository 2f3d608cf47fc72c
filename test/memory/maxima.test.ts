/** The cost of very many grants and waits: it is spread over many turns of the event loop, and linear. */
import '../support/without-hooks.js';

import { spawn } from 'node:child_process';
import { NOTHING_HELD, openPidfd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import type { Allocation } from 'vkmemd/dist/memory/allocation/allocation.js';
import type { ClientProcess } from 'vkmemd/dist/memory/session/client-process.js';
import type { Session } from 'vkmemd/dist/memory/session/session.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { allocateOn, coreOn, handlersOf } from '../support/core.js';
import { type Cost, costOf, linear as linearCost } from '../support/cost.js';
import { driverUnderTest } from '../support/daemon.js';
import { LET_IN, peer, policyOf } from '../support/quotas.js';

process.env.VK_DRIVER_FILES = driverUnderTest();

const device = await Device.open();
t.teardown(() => device.close());
const core = coreOn(device, { policy: policyOf([LET_IN]), faults: [] });
const handlers = handlersOf(core);
const identity = peer(1);
const alone = { identity, session: undefined, gone: () => false };
const living = { pid: 0, exited: false, watch: () => NOTHING_HELD, closeUnwatched() {} };
const begin = (uid = 1) => core.lifecycle.begin(peer(uid), '', living as unknown as ClientProcess);
let made = 0;

function oneWriter(): Promise<Allocation> {
  made += 1;
  return allocateOn(core, identity, { sharing: 'SHARING_ONE_WRITER', name: `memory-${made}` });
}

const free = ({ id }: Allocation) => handlers.Free(alone, { allocation: { id, name: '' } } as never, []);

/** Gives the session grants with write access. @returns their ids. */
function grant(session: Session, allocation: Allocation, count: number): bigint[] {
  const first = core.grants.lastId + 1n;
  const ids = Array.from({ length: count }, (_, at) => first + BigInt(at));
  for (const id of ids) {
    const lock = allocation.lock.tryAcquire(session, 'rw');
    core.grants.restore({ id, allocation, session, kind: 'MAPPABLE', access: 'rw', lock, fds: 1 });
  }
  core.grants.skipIds(ids.at(-1) ?? 0n);
  return ids;
}

async function linear(t: Test, count: number, cost: (count: number) => Promise<Cost>): Promise<void> {
  await linearCost(t, count, cost, 2);
  t.same([core.grants.size, core.orphanedLocks.size, core.claimQueue.size, core.sessions.size], [0, 0, 0, 0]);
}

t.test('a session with very many grants of one memory ends', async (t) => {
  await linear(t, 30_000, async (count) => {
    const allocation = await oneWriter();
    const session = begin();
    grant(session, allocation, count);
    const cost = await costOf(() => core.lifecycle.end(session));
    await free(allocation);
    return cost;
  });
});

t.test('very many grants are entrusted, and their session ended', async (t) => {
  const child = spawn('sleep', ['300']);
  t.teardown(() => child.kill('SIGKILL'));
  await linear(t, 10_000, async (count) => {
    const allocation = await oneWriter();
    const session = begin();
    const caller = { identity, session, gone: () => false };
    const request = { grantIds: grant(session, allocation, count) } as never;
    const cost = await costOf(async () => {
      const { response } = await handlers.Entrust(caller, request, [openPidfd(Number(child.pid))]);
      await handlers.EndEntrusted(caller, response as never, []);
    });
    await core.lifecycle.end(session);
    await free(allocation);
    return cost;
  });
});

t.test('very many waiting claims reach their time limit together', async (t) => {
  await linear(t, 800, async (count) => {
    const allocation = await oneWriter();
    const holder = begin();
    grant(holder, allocation, 1);
    const sessions = Array.from({ length: count / 16 }, (_, at) => begin(2000 + (at % 50)));
    const waits = sessions.flatMap((session) =>
      Array.from({ length: 16 }, () =>
        core.claimQueue.acquire(allocation, session, 'rw', 500).catch(() => {}),
      ),
    );
    const cost = await costOf(() => Promise.all(waits));
    for (const session of [holder, ...sessions]) await core.lifecycle.end(session);
    await free(allocation);
    return cost;
  });
});
