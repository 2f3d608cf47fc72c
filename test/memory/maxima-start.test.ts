/**
 * The cost of a start with very many records: sessions whose process runs, grants, tickets, and allocations. Their
 * device memory is one, shared in the test: a software driver would need minutes.
 */
import '../support/without-hooks.js';

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeAll, createMemfd, type OwnedFd, openPidfd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import type { Core } from 'vkmemd/dist/core.js';
import { slices } from 'vkmemd/dist/limits/slices.js';
import { LedgerFile } from 'vkmemd/dist/store/ledger-file.js';
import { nameOfFd, nameOfSession } from 'vkmemd/dist/store/names.js';
import { type AllocationRecord, VERSION } from 'vkmemd/dist/store/records.js';
import { Restore, type RestoreTargets } from 'vkmemd/dist/store/restore.js';
import { StateWriter } from 'vkmemd/dist/store/state-writer.js';
import { StoredFds } from 'vkmemd/dist/store/stored-fds.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { allocateOn, coreOn } from '../support/core.js';
import { costOf, linear } from '../support/cost.js';
import { driverUnderTest, temporaryFolder } from '../support/daemon.js';
import { CountedFds, persistedCore } from '../support/persisted-core.js';
import { peer, policyOf, rule } from '../support/quotas.js';

process.env.VK_DRIVER_FILES = driverUnderTest();
t.setTimeout(300_000);

/** A quarter of how many there are of each. */
const [SESSIONS, GRANTS, TICKETS, ALLOCATIONS] = [1500, 15_000, 2500, 1500];
const CAPACITY = 16_384;
const DAY_MS = 86_400_000;

const device = await Device.open();
t.teardown(() => device.close());
const policy = policyOf([rule({ connect: true, maxTickets: undefined })]);
const identity = peer(1);
const maker = persistedCore(t, device, policy);
const made = await allocateOn(maker.core, identity, { name: 'made', sharing: 'SHARING_ONE_WRITER' });
const [record] = maker.ledger.allocations.all as [AllocationRecord];
const child = spawn('sleep', ['1000']);
const pidfd = openPidfd(Number(child.pid));
t.teardown(() => {
  child.kill('SIGKILL');
  pidfd.close();
});

/** What a daemon left behind. */
class Left {
  readonly ledger: LedgerFile;
  readonly fds = new Map<string, OwnedFd[]>();

  constructor(t: Test) {
    this.ledger = LedgerFile.open(temporaryFolder(t));
    this.ledger.head = { version: VERSION, restarts: 0 };
  }

  async allocation(more: Partial<AllocationRecord> = {}): Promise<void> {
    const all = { ...record, ...more };
    for (const { name } of all.fds) this.fds.set(name, [await createMemfd('kept', made.memory.size)]);
    this.ledger.allocations.put(all.id, all);
  }

  sessions(count: number): void {
    this.ledger.eventually(() => {
      for (let at = 1; at <= count; at += 1) {
        const id = BigInt(at);
        const { tenant: _, ...who } = identity;
        const names = { tokenHash: `hash-${at}`, clientName: 'client' };
        const session = {
          id,
          tenant: identity.tenant.key,
          identity: { ...who, pid: Number(child.pid) },
          ...names,
        };
        this.ledger.sessions.put(id, { ...session, beganAt: Date.now(), watched: true, departed: false });
        this.fds.set(nameOfSession(id), [pidfd.dup()]);
      }
    });
  }

  grants(count: number, sessionOf: (at: number) => bigint): void {
    const one = { allocation: record.id, kind: 'MAPPABLE', access: 'rw', fds: 1 } as const;
    this.ledger.eventually(() => {
      for (let at = 1; at <= count; at += 1) {
        this.ledger.grants.put(BigInt(at), { ...one, id: BigInt(at), session: sessionOf(at) });
      }
    });
  }

  tickets(count: number): void {
    const terms = { kinds: ['MAPPABLE'], access: 'ro', uses: 1, validMs: DAY_MS, forUid: undefined } as const;
    const common = { tenant: identity.tenant.key, expiryDate: Date.now() + DAY_MS, usesLeft: 1, terms };
    this.ledger.eventually(() => {
      for (let at = 1; at <= count; at += 1) {
        const id = `ticket-${at}`;
        this.ledger.tickets.put(id, { id, hash: `hash-${at}`, allocation: record.id, ...common });
      }
    });
  }

  /** @param on the device that memory is imported into. */
  start(faults: string[], on: RestoreTargets['device'] = device): { core: Core; restore: Restore } {
    const stored = new StoredFds(new CountedFds(), CAPACITY, (what) => faults.push(what));
    const writer = new StateWriter(this.ledger, device.info, stored);
    const core = coreOn(device, { policy, faults, persistence: writer });
    return { core, restore: new Restore({ ...core, device: on }, this.ledger, writer, this.fds) };
  }
}

interface Case {
  leave(left: Left, count: number): Promise<void>;
  /** How many of them a core has. */
  of(core: Core): number;
  readonly on?: RestoreTargets['device'];
}

/** Asserts that the cost of a start is linear, and that all of it is restored, and nothing left once it has ended. */
async function linearStart(t: Test, count: number, { leave, of, on }: Case): Promise<void> {
  await linear(t, count, async (many) => {
    const left = new Left(t);
    await leave(left, many);
    const faults: string[] = [];
    const { core, restore } = left.start(faults, on);
    const cost = await costOf(() => restore.run());
    t.same([of(core), faults], [many, []]);
    await Promise.all([...core.sessions.all].map((session) => core.lifecycle.end(session)));
    for (const allocation of core.registry.all) await core.draining.free(allocation);
    await slices.idle();
    const { sessions, grants, tickets, registry, fds, mappings } = core;
    t.same([sessions.size, grants.size, tickets.size, registry.live], [0, 0, 0, 0]);
    t.same([left.fds.size, fds.leased, mappings.leased], [0, 0, 0]);
    await left.ledger.close();
    return cost;
  });
}

t.test('very many sessions', (t) =>
  linearStart(t, SESSIONS, {
    async leave(left, count) {
      await left.allocation({ terms: { ...record.terms, sharing: 'SHARED' } });
      left.sessions(count);
      left.grants(count, (at) => BigInt(at));
    },
    of: ({ sessions }) => sessions.size,
  }),
);

t.test('very many grants of one session with write access', (t) =>
  linearStart(t, GRANTS, {
    async leave(left, count) {
      await left.allocation();
      left.sessions(1);
      left.grants(count, () => 1n);
    },
    of: ({ grants }) => grants.size,
  }),
);

t.test('very many tickets', (t) =>
  linearStart(t, TICKETS, {
    async leave(left, count) {
      await left.allocation();
      left.tickets(count);
    },
    of: ({ tickets }) => tickets.size,
  }),
);

t.test('very many allocations', (t) => {
  const { plan, size, imported } = made.memory;
  const memory = {
    ...{ plan, size, imported, fds: 1, files: [] },
    freeDevice: async () => undefined,
    closeHandles: () => undefined,
    heldElsewhere: () => false,
    seesHolders: () => true,
  };
  const on = {
    info: device.info,
    adopt(_plan: unknown, handles: ReadonlyMap<number, OwnedFd>) {
      closeAll(handles.values());
      return memory;
    },
  } as unknown as RestoreTargets['device'];
  return linearStart(t, ALLOCATIONS, {
    on,
    async leave(left, count) {
      for (let at = 0; at < count; at += 1) {
        const fds = record.fds.map((fd) => ({ ...fd, name: nameOfFd(at + 1, 0) }));
        const terms = { ...record.terms, name: `name-${at}` };
        await left.allocation({ id: randomUUID(), createdAt: record.createdAt + at, terms, fds });
      }
    },
    of: ({ registry }) => registry.live,
  });
});

t.test('nothing is left', async (t) => {
  await maker.core.draining.free(made);
  t.same([maker.core.registry.live, maker.core.fds.leased], [0, 0]);
});
