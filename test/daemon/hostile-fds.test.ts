/**
 * Files whose close() blocks, sent by clients with and without permission to import: no other client waits
 * for them, and no resource remains.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMemfd, type Draft, encode, errorOf, PROTOCOL_VERSION } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, assertCounts, assertNoLeaks, startDaemon, type TestDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { datagramsOf, HostileClient, type Hostility } from '../support/hostile-fds.js';
import { asOtherUser, noOtherUser, openToOthers } from '../support/uid.js';
import { startWitnessed } from '../support/witness.js';

const PERMITTED = ['--allow-import', String(process.getuid?.() ?? 0)];
const HELLO = { hello: { protocolVersion: PROTOCOL_VERSION } };
const IMPORT = { import: { source: 'KIND_MAPPABLE' } } as const;
const GARBAGE = Buffer.from([0xff, 0xff, 0xff, 0xff]);
/** More than the daemon accepts from one user: see proto/native/reaper.h. */
const MAX = 64;

/** A client that reads the budget, and the number of the daemon's fds while it is idle. */
class Bystander {
  readonly #control: ControlWire;
  readonly #pid: number;
  fds = 0;

  private constructor(daemon: TestDaemon) {
    this.#control = new ControlWire(daemon.runtimeDir);
    this.#pid = daemon.pid;
  }

  static async of(t: Test, daemon: TestDaemon): Promise<Bystander> {
    const bystander = new Bystander(daemon);
    t.teardown(() => bystander.#control.close());
    await bystander.#control.budget();
    bystander.fds = bystander.#open();
    return bystander;
  }

  #open(): number {
    return readdirSync(`/proc/${this.#pid}/fd`).length;
  }

  /** Asserts that a request is answered, although the files would block for minutes. */
  async isServed(t: Test): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, 10_000, 'not within 10 s');
    });
    t.match(await Promise.race([this.#control.budget(), late]), { counts: {} }, 'another client is answered');
    clearTimeout(timer);
  }

  /** Waits until the daemon has this many fds more than while it was idle. */
  async sees(t: Test, more: number, what: string): Promise<void> {
    let found = 0;
    let looks = 0;
    for (const end = Date.now() + 10_000; looks < 5 && Date.now() < end; looks += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      found = this.#open() - this.fds;
      if (found !== more) looks = 0;
    }
    t.equal(found, more, what);
  }
}

/** Starts a hostile client that sends; returns it. Skips where the machine has no such file. */
async function hostile(
  t: Test,
  daemon: TestDaemon,
  hostility: Hostility,
): Promise<HostileClient | undefined> {
  const client = await HostileClient.start(t, daemon.runtimeDir, hostility);
  if (typeof client === 'string') {
    t.plan(0, client);
    return undefined;
  }
  t.equal(await client.send(daemon.pid), 'sent');
  return client;
}

const CASES: [string, readonly string[], readonly Draft<'ClientMessage'>[], RegExp][] = [
  ['an import without permission', [], [HELLO, IMPORT], /NOT_PERMITTED|--allow-import/],
  ['an import with permission', PERMITTED, [HELLO, IMPORT], /not a memfd/],
  ['a message that carries no fds', [], [HELLO, { claim: { kinds: ['KIND_MAPPABLE'] } }], /carries 0/],
  ['a Hello', [], [HELLO], /carries 0/],
];

for (const [what, args, bodies, message] of CASES) {
  const stays = bodies[1] === IMPORT;
  t.test(`a lingering socket sent with ${what} does not block the daemon`, async (t) => {
    const daemon = await startDaemon(t, { args });
    const bystander = await Bystander.of(t, daemon);
    const client = await hostile(t, daemon, { file: 'lingering', datagrams: datagramsOf(...bodies) });
    if (!client) return;
    await bystander.isServed(t);
    for (const _ of bodies.slice(1)) t.ok((await client.answer())?.welcome);
    t.match((await client.answer())?.error, { message });
    // A connection costs its socket and a pidfd.
    await bystander.sees(t, stays ? 2 : 0, 'the file is closed, although its data is still unread');
    await client.end();
    await bystander.sees(t, 0, 'no fd is left');
    await assertNoLeaks(t, daemon.runtimeDir);
  });
}

const NOTHING = Buffer.alloc(0);
for (const [what, datagrams] of [
  ['a message', [GARBAGE, ...datagramsOf(IMPORT)]],
  ['an empty message behind empty ones', [GARBAGE, NOTHING, NOTHING, NOTHING]],
] as const) {
  t.test(`a lingering socket sent in ${what} that is never read does not block the daemon`, async (t) => {
    const daemon = await startDaemon(t);
    const bystander = await Bystander.of(t, daemon);
    const client = await hostile(t, daemon, { file: 'lingering', datagrams, leave: true });
    if (!client) return;
    await bystander.isServed(t);
    await assertNoLeaks(t, daemon.runtimeDir);
    await bystander.sees(t, 1, 'the connection waits until the socket no longer lingers');
    await bystander.isServed(t);
    await bystander.sees(t, 1, 'and still waits');
    await client.end();
    await bystander.sees(t, 0, 'its fds are closed when the socket no longer lingers');
  });
}

t.test('the daemon exits while a socket lingers', async (t) => {
  const daemon = await startDaemon(t);
  const bystander = await Bystander.of(t, daemon);
  const datagrams = [GARBAGE, ...datagramsOf(IMPORT)];
  const client = await hostile(t, daemon, { file: 'lingering', datagrams, leave: true });
  if (!client) return;
  await bystander.sees(t, 1, 'it lingers');
  t.strictSame(await daemon.stop(), { code: 0, signal: null });
});

t.test(
  'a user with the maximum number of lingering connections is not admitted again until they end',
  async (t) => {
    const daemon = await startDaemon(t, { args: PERMITTED, policy: ANYBODY });
    openToOthers(daemon.runtimeDir);
    const bystander = await Bystander.of(t, daemon);
    const earlier = await HandoffWire.open(daemon.runtimeDir);
    const importer = await HandoffWire.open(daemon.runtimeDir);
    const datagrams = [GARBAGE, ...datagramsOf(IMPORT)];
    const client = await hostile(t, daemon, { file: 'lingering', datagrams, leave: true, count: MAX });
    if (!client) return;
    await bystander.sees(t, MAX + 4, 'all connections wait');
    await bystander.isServed(t);

    const { message } = await earlier.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
    t.ok(message.allocate, 'a connected client is served');
    importer.send(IMPORT, [await createMemfd('test', 4096n)]);
    const refusal = (await importer.next()).message.error;
    t.equal(refusal && errorOf(refusal).code, 'UNAVAILABLE', 'but an import of the same user is refused');
    await importer.closed;
    const [late] = await new HandoffWire(daemon.runtimeDir).closed;
    t.match(late?.message.error && errorOf(late.message.error), {
      code: 'TOO_MANY_FILES',
      reason: /waiting to be closed/,
    });
    if (noOtherUser === undefined) {
      t.equal(await asOtherUser('attempt.js', [daemon.runtimeDir]), 'served', 'another user is served');
    }

    await client.end();
    await bystander.sees(t, 3, 'the files are closed: what remains is a session and its memory');
    (await HandoffWire.open(daemon.runtimeDir)).close();
    t.pass('and the user can connect again');
    earlier.close();
    await bystander.sees(t, 0, 'no fd is left');
  },
);

t.test(
  'with more lingering connections than the daemon can hold, new clients wait',
  { skip: noOtherUser ?? false },
  async (t) => {
    const daemon = await startWitnessed(t, '', 200);
    const bystander = await Bystander.of(t, daemon);
    const datagrams = [GARBAGE, ...datagramsOf(IMPORT)];
    const client = await hostile(t, daemon, { file: 'lingering', datagrams, leave: true, count: MAX });
    if (!client) return;
    await bystander.sees(t, MAX, 'all connections wait');
    await bystander.isServed(t);
    const late = new HandoffWire(daemon.runtimeDir);
    const welcome = late.ask({ hello: { protocolVersion: PROTOCOL_VERSION } });
    t.equal(await Promise.race([welcome, bystander.isServed(t)]), undefined, 'a new client waits');
    for (const end = Date.now() + 10_000; !/EBUSY/.test(daemon.log()) && Date.now() < end; ) await sleep(10);
    t.match(daemon.log(), /EBUSY.*could not accept/, 'the daemon logs the reason');
    await client.end();
    t.ok((await welcome).message.welcome, 'the new client is served when the sockets no longer linger');
    late.close();
    await bystander.sees(t, 0, 'no fd is left');
    t.strictSame(daemon.failures(), []);
  },
);

t.test('a file whose server never answers does not block the daemon', async (t) => {
  const layer = new FakeLayer(t, 'dma_buf present');
  for (const source of ['KIND_MAPPABLE', 'KIND_DMA_BUF', 'KIND_OPAQUE_FD'] as const) {
    for (const args of [PERMITTED, []]) {
      await t.test(`sent as ${source}, ${args.length > 0 ? 'with' : 'without'} permission`, async (t) => {
        const daemon = await startDaemon(t, { args, env: layer.environment });
        const bystander = await Bystander.of(t, daemon);
        const control = new ControlWire(daemon.runtimeDir);
        const device = (await control.call('ListDevices', {})).devices[0];
        control.close();
        const { deviceUuid, driverUuid } = device ?? {};
        const opaque = { sizeBytes: 4096n, memoryTypeIndex: 0, deviceUuid, driverUuid };
        const request = { source, ...(source === 'KIND_OPAQUE_FD' ? opaque : {}) };
        const datagrams = datagramsOf(HELLO, { import: request as Draft<'ImportRequest'> });
        const client = await hostile(t, daemon, { file: 'fuse', datagrams });
        if (!client) return;
        await bystander.isServed(t);
        t.ok((await client.answer())?.welcome);
        const refusal = (await client.answer())?.error;
        t.equal(refusal && errorOf(refusal).code, args.length > 0 ? 'INVALID_HANDLE' : 'NOT_PERMITTED');
        await bystander.isServed(t);
        await client.end();
        await bystander.sees(t, 0, 'no fd is left');
        await assertCounts(t, daemon.runtimeDir, {});
      });
    }
  }
});

t.test('the control socket accepts no fds', async (t) => {
  const daemon = await startDaemon(t);
  const bystander = await Bystander.of(t, daemon);
  const datagrams = [encode('ClientMessage', HELLO)];
  const client = await HostileClient.start(t, daemon.runtimeDir, {
    file: 'lingering',
    socket: 'control.sock',
    datagrams,
  });
  if (typeof client === 'string') throw new Error(client);
  const answer = await client.send(daemon.pid);
  if (answer === 'sent') {
    // A kernel older than 6.16 cannot refuse them: see ListenOptions.untrusted in proto/kernel/socket.ts.
    await client.end();
    t.plan(0, 'this kernel has no SO_PASSRIGHTS');
    return;
  }
  t.equal(answer, 'refused EPERM');
  await bystander.isServed(t);
});
