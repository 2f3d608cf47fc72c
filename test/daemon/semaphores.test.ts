/**
 * Semaphores on lavapipe, which has timelines and exports none: created, found, waited for, signalled and freed by
 * both planes, with their names, limits and rights.
 */
import { closeAll, type Decoded, type Draft } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertCounts, assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { noSwiftShader, SWIFTSHADER } from '../support/semaphore-peer.js';
import { openToAll, Tenant } from '../support/tenant.js';

const LAVAPIPE = process.env.VKMEMD_TEST_DRIVER === undefined;
const MAX_OF_SESSION = 64;
const MAX_WAITS = 16;

async function created(
  wire: HandoffWire,
  request: Draft<'CreateSemaphoreRequest'> = {},
): Promise<Decoded<'Semaphore'>> {
  const { message } = await wire.ask({ createSemaphore: request });
  const { semaphore } = message.createSemaphore ?? {};
  if (!semaphore) throw new Error('nothing was created');
  return semaphore;
}

t.test('a timeline by the handoff plane', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const { id, ...rest } = await created(wire, { initialValue: 3n });
  t.match(rest, {
    type: 'SEMAPHORE_TYPE_TIMELINE',
    kinds: [],
    state: 'SEMAPHORE_STATE_LIVE',
    lifetime: 'LIFETIME_SESSION',
    ownerSessionId: wire.welcome.sessionId,
    ownerUid: process.getuid?.(),
    kept: false,
  });
  await assertCounts(t, runtimeDir, { sessions: 1, semaphores: 1 });
  const semaphore = { id };
  const there = await wire.ask({ waitSemaphore: { semaphore, value: 3n, timeoutMs: 0 } });
  t.equal(there.message.waitSemaphore?.value, 3n, 'the initial value is there at once');
  await t.rejects(wire.ask({ waitSemaphore: { semaphore, value: 4n, timeoutMs: 0 } }), {
    code: 'WAIT_TIMED_OUT',
  });
  await t.rejects(wire.ask({ waitSemaphore: { semaphore, value: 4n, timeoutMs: 50 } }), {
    code: 'WAIT_TIMED_OUT',
    reason: /within 50 ms: 4 of semaphore /,
  });
  const other = await HandoffWire.open(runtimeDir);
  const waiting = other.ask({ waitSemaphore: { semaphore, value: 10n } });
  await wire.ask({ signalSemaphore: { semaphore, value: 9n } });
  await wire.ask({ signalSemaphore: { semaphore, value: 12n } });
  t.equal((await waiting).message.waitSemaphore?.value, 12n, 'another session sees the signal');
  for (const value of [12n, 1n]) {
    await t.rejects(wire.ask({ signalSemaphore: { semaphore, value } }), {
      code: 'INVALID_ARGUMENT',
      reason: /counter is 12 already/,
    });
  }
  await t.rejects(wire.ask({ signalSemaphore: { semaphore, value: 0n } }), { code: 'INVALID_ARGUMENT' });
  const wait = other.ask({ waitSemaphore: { semaphore, value: 100n } });
  const refused = t.rejects(wait, { code: 'NOT_FOUND' }, 'a wait ends with the semaphore');
  const { id: stays } = await created(wire);
  const third = await HandoffWire.open(runtimeDir);
  const unaffected = third.ask({ waitSemaphore: { semaphore: { id: stays }, value: 1n } });
  const seen = t.resolves(unaffected, 'a wait for another one stays');
  // Both wait in the daemon.
  await t.rejects(wire.ask({ waitSemaphore: { semaphore: { id: stays }, value: 1n, timeoutMs: 50 } }));
  const { message } = await wire.ask({ freeSemaphore: { semaphore } });
  t.equal(message.freeSemaphore?.semaphore?.state, 'SEMAPHORE_STATE_FREED');
  await refused;
  await wire.ask({ signalSemaphore: { semaphore: { id: stays }, value: 1n } });
  await seen;
  third.close();
  await t.rejects(wire.ask({ freeSemaphore: { semaphore } }), { code: 'NOT_FOUND' });
  other.close();
  wire.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('by gRPC, with a name', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  await t.rejects(control.call('CreateSemaphore', {}), { code: 'SESSION_REQUIRED' });
  const { semaphore } = await control.call('CreateSemaphore', { name: 'frames' });
  t.match(semaphore, { name: 'frames', lifetime: 'LIFETIME_NAMED', ownerSessionId: 0n });
  await t.rejects(control.call('CreateSemaphore', { name: 'frames' }), { code: 'NAME_TAKEN' });
  await control.call('Allocate', { name: 'frames', sizeBytes: 1n, kinds: ['KIND_MAPPABLE'] });
  t.pass('an allocation may have the name of a semaphore');
  await control.call('FreeAllocation', { allocation: { name: 'frames' } });
  const uid = process.getuid?.() ?? 0;
  for (const name of ['frames', `${uid}/frames`, `uid:${uid}/frames`]) {
    t.same((await control.call('GetSemaphore', { semaphore: { name } })).semaphore, semaphore, name);
  }
  await control.call('SignalSemaphore', { semaphore: { name: 'frames' }, value: 7n });
  t.equal((await control.call('GetSemaphore', { semaphore: { name: 'frames' } })).value, 7n);
  t.equal((await control.call('WaitSemaphore', { semaphore: { name: 'frames' }, value: 7n })).value, 7n);
  const others = await Promise.all(
    [1, 2, 3, 4].map((n) => control.call('CreateSemaphore', { name: `n${n}` })),
  );
  const listed: string[] = [];
  for (let pageToken = ''; ; ) {
    const page = await control.call('ListSemaphores', { pageSize: 2, pageToken });
    t.ok(page.semaphores.length <= 2);
    listed.push(...page.semaphores.map(({ id }) => id));
    if (page.nextPageToken === '') break;
    pageToken = page.nextPageToken;
  }
  const all = [{ semaphore }, ...others].map((each) => each.semaphore?.id ?? '');
  t.same(listed.toSorted(), all.toSorted(), 'each is listed once');
  t.equal(listed[0], semaphore?.id, 'the oldest first');
  await t.rejects(control.call('ListSemaphores', { pageToken: 'x' }), { code: 'INVALID_ARGUMENT' });
  for (const id of all) await control.call('FreeSemaphore', { semaphore: { id } });
  await t.rejects(control.call('GetSemaphore', { semaphore: { name: 'frames' } }), { code: 'NOT_FOUND' });
  control.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('requests that are refused', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const binary = { type: 'SEMAPHORE_TYPE_BINARY' } as const;
  const { id } = await created(wire, binary);
  const { id: timeline } = await created(wire);
  const opaque = { kinds: ['SEMAPHORE_KIND_OPAQUE_FD'] } as const;
  const refused: [
    Draft<'ClientMessage'>,
    { readonly code: string; readonly reason?: RegExp; readonly metadata?: object },
  ][] = [
    [{ createSemaphore: { ...binary, initialValue: 1n } }, { code: 'INVALID_ARGUMENT' }],
    [{ createSemaphore: { grant: true } }, { code: 'INVALID_ARGUMENT', metadata: { field: 'grant' } }],
    [{ createSemaphore: { name: 'a/b' } }, { code: 'INVALID_NAME' }],
    [{ createSemaphore: { lifetime: 'LIFETIME_NAMED' } }, { code: 'INVALID_NAME' }],
    [{ createSemaphore: { requestId: 'x'.repeat(65) } }, { code: 'INVALID_ARGUMENT' }],
    [{ createSemaphore: { kinds: ['SEMAPHORE_KIND_SYNC_FD'] } }, { code: 'INVALID_ARGUMENT' }],
    [
      { createSemaphore: { ...binary, kinds: ['SEMAPHORE_KIND_SYNC_FD', 'SEMAPHORE_KIND_OPAQUE_FD'] } },
      { code: 'KINDS_EXCLUSIVE' },
    ],
    [{ waitSemaphore: { semaphore: { id }, value: 1n } }, { code: 'INVALID_ARGUMENT', reason: /is binary/ }],
    [{ signalSemaphore: { semaphore: { id }, value: 1n } }, { code: 'INVALID_ARGUMENT' }],
    [
      { waitSemaphore: { semaphore: { id: timeline }, value: 1n, timeoutMs: 60_001 } },
      { code: 'INVALID_ARGUMENT' },
    ],
    [{ waitSemaphore: { value: 1n } }, { code: 'INVALID_ARGUMENT', metadata: { field: 'semaphore' } }],
    [{ freeSemaphore: { semaphore: { id: '0/frames' } } }, { code: 'NOT_FOUND' }],
    [{ claimSemaphore: { semaphore: { id } } }, { code: 'KIND_NOT_REQUESTED' }],
    [{ claimSemaphore: { semaphore: { name: 'none' } } }, { code: 'NOT_FOUND' }],
  ];
  if (LAVAPIPE) {
    const missing = { code: 'KIND_UNSUPPORTED', metadata: { missing: 'extension' } };
    refused.push(
      [{ createSemaphore: opaque }, missing],
      [{ createSemaphore: { ...binary, ...opaque } }, missing],
    );
  }
  for (const [body, fault] of refused) await t.rejects(wire.ask(body), fault, JSON.stringify(fault));
  await t.rejects(control.call('CreateSemaphore', { name: 'x', ...opaque, grant: true }), {
    code: 'INVALID_ARGUMENT',
    reason: /gRPC carries no fds/,
  });
  await wire.ask({ signalSemaphore: { semaphore: { id } } });
  t.pass('the device signals a binary semaphore');
  await assertCounts(t, runtimeDir, { sessions: 1, semaphores: 2 });
  control.close();
  wire.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('limits of a session, and request ids', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const first = await created(wire, { requestId: 'one' });
  t.same(await created(wire, { requestId: 'one' }), first, 'a repeated request makes nothing');
  for (let made = 1; made < MAX_OF_SESSION; made += 1)
    await created(wire, { name: made % 2 ? `n${made}` : '' });
  await t.rejects(created(wire), {
    code: 'QUOTA_EXCEEDED',
    metadata: { what: 'semaphores', whose: 'session', limit: '64' },
  });
  await wire.ask({ freeSemaphore: { semaphore: { id: first.id } } });
  const again = await created(wire, { requestId: 'one' });
  t.not(again.id, first.id, 'the id of a freed one makes another');
  const waits = Array.from({ length: MAX_WAITS }, () => ({
    waitSemaphore: { semaphore: { id: again.id }, value: 1n },
  }));
  for (const body of waits) wire.send(body);
  await t.rejects(wire.ask(waits[0] ?? {}), { code: 'UNAVAILABLE', reason: /16 requests that wait/ });
  wire.send({ signalSemaphore: { semaphore: { id: again.id }, value: 1n } });
  const answers = [];
  while (answers.length < MAX_WAITS + 1) answers.push(await wire.next());
  t.equal(answers.filter(({ message }) => message.waitSemaphore?.value === 1n).length, MAX_WAITS);
  wire.close();
  await assertCounts(t, runtimeDir, { semaphores: 32 });
  const control = new ControlWire(runtimeDir);
  const { semaphores } = await control.call('ListSemaphores', { pageSize: 500 });
  t.ok(
    semaphores.every(({ name }) => name !== ''),
    'those of the session ended with it',
  );
  for (const { id } of semaphores) await control.call('FreeSemaphore', { semaphore: { id } });
  control.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('another tenant', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: '[[rule]]\nconnect = true\n' });
  const wire = await HandoffWire.open(runtimeDir);
  const { id } = await created(wire, { name: 'mine' });
  openToAll(runtimeDir);
  const tenant = await Tenant.start(t, runtimeDir, 12345);
  for (const semaphore of [{ id }, { name: '0/mine' }]) {
    for (const body of [
      { waitSemaphore: { semaphore, value: 1n } },
      { signalSemaphore: { semaphore, value: 1n } },
      { freeSemaphore: { semaphore } },
      { claimSemaphore: { semaphore } },
    ]) {
      await t.rejects(tenant.ask(body), { code: 'NOT_PERMITTED' }, JSON.stringify(Object.keys(body)));
    }
  }
  await t.rejects(tenant.call('GetSemaphore', { semaphore: { id } }), { code: 'NOT_PERMITTED' });
  t.same((await tenant.call('ListSemaphores', {})).semaphores, [], 'it is not listed to others');
  await tenant.ask({ createSemaphore: { name: 'mine' } });
  t.pass('each tenant has names of its own');
  await tenant.ask({ freeSemaphore: { semaphore: { name: 'mine' } } });
  await wire.ask({ freeSemaphore: { semaphore: { id } } });
  await tenant.end();
  wire.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test(
  'handles of another tenant',
  { skip: process.getuid?.() !== 0 ? 'needs root' : noSwiftShader },
  async (t) => {
    const policy = '[[rule]]\nconnect = true\nclaim_from = [0]\nclaim_access = "rw"\n';
    const { runtimeDir } = await startDaemon(t, { policy, env: { VK_DRIVER_FILES: SWIFTSHADER } });
    openToAll(runtimeDir);
    const wire = await HandoffWire.open(runtimeDir);
    const binary = { type: 'SEMAPHORE_TYPE_BINARY' } as const;
    const opaque = { ...binary, kinds: ['SEMAPHORE_KIND_OPAQUE_FD'] } as const;
    const { id } = await created(wire, { ...opaque, name: 'mine' });
    const tenant = await Tenant.start(t, runtimeDir, 12345);
    const onCpu = { code: 'NOT_PERMITTED', reason: /On a software device only operators/ };
    await t.rejects(tenant.ask({ createSemaphore: opaque }), onCpu, 'created');
    await t.rejects(
      tenant.ask({ claimSemaphore: { semaphore: { name: '0/mine' } } }),
      onCpu,
      'claimed by policy',
    );
    const { message } = await wire.ask({ createTicket: { semaphore: { id } } });
    const ticket = message.createTicket?.secret ?? '';
    await t.rejects(tenant.ask({ claimSemaphore: { ticket } }), onCpu, 'claimed by ticket');
    const { fds } = await wire.ask({ claimSemaphore: { ticket } });
    t.equal(fds.length, 1, 'the ticket has kept its use');
    closeAll(fds);
    await t.rejects(tenant.ask({ signalSemaphore: { semaphore: { id } } }), { code: 'NOT_PERMITTED' });
    for (const odd of [
      { semaphore: { id }, kinds: ['KIND_OPAQUE_FD'] as const },
      { semaphore: { id }, access: 'ACCESS_READ_ONLY' as const },
      { semaphore: { id }, allocation: { id } },
    ]) {
      await t.rejects(wire.ask({ createTicket: odd }), { code: 'INVALID_ARGUMENT' });
    }
    await tenant.ask({ createSemaphore: binary });
    await wire.ask({ freeSemaphore: { semaphore: { id } } });
    await tenant.end();
    wire.close();
    await assertNoLeaks(t, runtimeDir);
  },
);

t.test('what the device can do with semaphores', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  const { devices } = await control.call('ListDevices', {});
  const reports = devices[0]?.semaphores ?? [];
  t.same(
    reports.map(({ type, kind }) => [type, kind]),
    [
      ['SEMAPHORE_TYPE_TIMELINE', 'SEMAPHORE_KIND_OPAQUE_FD'],
      ['SEMAPHORE_TYPE_BINARY', 'SEMAPHORE_KIND_OPAQUE_FD'],
      ['SEMAPHORE_TYPE_BINARY', 'SEMAPHORE_KIND_SYNC_FD'],
    ],
  );
  if (LAVAPIPE) {
    t.equal(devices[0]?.timelineSemaphores, true);
    const lacks = {
      exportable: false,
      importable: false,
      reason: /does not list VK_KHR_external_semaphore_fd/,
    };
    for (const report of reports) t.match(report, lacks);
  }
  control.close();
  await assertNoLeaks(t, runtimeDir);
});
