/**
 * Files whose close() blocks, sent by clients with and without permission to import: no other client waits
 * for them, and no resource remains.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMemfd, type Draft, encode, errorOf, PROTOCOL_VERSION } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { asUser } from '../support/as-user.js';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, assertCounts, assertNoLeaks, startDaemon, type TestDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { HandoffWire, type Received } from '../support/handoff-wire.js';
import { datagramsOf, HostileClient, type Hostility } from '../support/hostile-fds.js';
import { asOtherUser, noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';
import { startWitnessed } from '../support/witness.js';

const PERMITTED = ['--allow-import', String(process.getuid?.() ?? 0)];
const HELLO = { hello: { protocolVersion: PROTOCOL_VERSION } };
const IMPORT = { import: { source: 'KIND_MAPPABLE' } } as const;
const GARBAGE = Buffer.from([0xff, 0xff, 0xff, 0xff]);
/** So many fds that are not closed yet may a user have: see proto/native/reaper.h. */
const MAX = 16;
/** Another user than OTHER_UID, without a name. */
const TENANT = OTHER_UID - 1;

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

/** The processes that the daemon has started and that have not ended. */
const childrenOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );

/** Asserts that the daemon has no children but these, in the end. */
async function onlyThese(t: Test, pid: number, before: readonly string[]): Promise<void> {
  for (const end = Date.now() + 10_000; childrenOf(pid).length > before.length && Date.now() < end; )
    await sleep(10);
  t.strictSame(childrenOf(pid), before, 'no process is left that closes files');
}

/** The seconds for which the sockets linger are far more. */
const isWelcome = async (t: Test, runtimeDir: string, what: string): Promise<void> => {
  const wire = new HandoffWire(runtimeDir);
  const welcome = wire.ask(HELLO).then(({ message }) => message.welcome !== undefined);
  t.equal(await Promise.race([welcome, sleep(20_000, 'not within 20 s')]), true, what);
  wire.close();
};

const LINGERING = [GARBAGE, ...datagramsOf(IMPORT)];
/** Of a user that no rule lets in, and of one that may connect. */
for (const [who, rules] of [
  ['a stranger', ''],
  ['a tenant', `[[rule]]\nuid = ${OTHER_UID}\nconnect = true\n`],
] as const) {
  t.test(
    `connections of ${who} with fds that linger delay no other user`,
    { skip: noOtherUser ?? false },
    async (t) => {
      t.setTimeout(120_000);
      // A limit at which the attackers would use up what may wait to be closed.
      const daemon = await startDaemon(t, {
        before: ['prlimit', '--nofile=400:400'],
        policy: `[[rule]]\nuid = 0\nconnect = true\n[[rule]]\nuid = ${TENANT}\nconnect = true\n${rules}`,
      });
      openToOthers(daemon.runtimeDir);
      const bystander = await Bystander.of(t, daemon);
      const before = childrenOf(daemon.pid);
      const options = { file: 'lingering', datagrams: LINGERING, leave: true, count: 90 } as const;
      const attackers: HostileClient[] = [];
      for (const _ of [1, 2]) {
        const attacker = await HostileClient.start(t, daemon.runtimeDir, { ...options, uid: OTHER_UID });
        if (typeof attacker === 'string') return t.plan(0, attacker);
        attackers.push(attacker);
      }
      for (const attacker of attackers) t.equal(await attacker.send(daemon.pid), 'sent');
      const somebody = { uid: TENANT, gid: TENANT, groups: [] };
      const [served] = await Promise.all([
        asUser(somebody, 'attempt.js', [daemon.runtimeDir]),
        isWelcome(t, daemon.runtimeDir, 'an operator is served'),
        bystander.isServed(t),
      ]);
      t.equal(served, 'served', 'another tenant is served');
      t.notMatch(daemon.log(), /EBUSY/);
      await bystander.sees(t, 0, 'all are closed, although they would linger for minutes');
      await onlyThese(t, daemon.pid, before);
      for (const attacker of attackers) await attacker.end();
      await assertNoLeaks(t, daemon.runtimeDir);
    },
  );
}

t.test('a user whose files block is refused, and no other', async (t) => {
  t.setTimeout(120_000);
  const daemon = await startDaemon(t, { policy: ANYBODY });
  openToOthers(daemon.runtimeDir);
  const bystander = await Bystander.of(t, daemon);
  const before = childrenOf(daemon.pid);
  const importer = await HandoffWire.open(daemon.runtimeDir);
  const blocking = await hostile(t, daemon, {
    file: 'fuse',
    datagrams: datagramsOf(HELLO, IMPORT),
    leave: true,
    count: MAX,
  });
  if (!blocking) return;
  await bystander.isServed(t);
  let late: Received | undefined;
  for (const end = Date.now() + 20_000; !late?.message.error && Date.now() < end; ) {
    const wire = new HandoffWire(daemon.runtimeDir);
    [late] = await Promise.race([wire.closed, sleep(100, [])]);
    wire.close();
  }
  t.match(late?.message.error && errorOf(late.message.error), {
    code: 'TOO_MANY_FILES',
    reason: /waiting to be closed/,
  });
  importer.send(IMPORT, [await createMemfd('test', 4096n)]);
  const refusal = (await importer.next()).message.error;
  t.equal(refusal && errorOf(refusal).code, 'UNAVAILABLE', 'an fd of the same user is refused');
  await importer.closed;
  const more = await hostile(t, daemon, { file: 'lingering', datagrams: LINGERING, leave: true, count: 40 });
  if (!more) return;
  if (noOtherUser === undefined) {
    t.equal(await asOtherUser('attempt.js', [daemon.runtimeDir]), 'served', 'another user is served');
  }
  await bystander.sees(t, 0, 'what lingers is closed, although the threads of the user block');
  await onlyThese(t, daemon.pid, before);
  await blocking.end();
  await bystander.sees(t, 0, 'no fd is left');
  await isWelcome(t, daemon.runtimeDir, 'and the user can connect again');
  await more.end();
  await assertNoLeaks(t, daemon.runtimeDir);
});

t.test(
  'with more lingering connections than the daemon can hold, other users are served',
  { skip: noOtherUser ?? false },
  async (t) => {
    t.setTimeout(120_000);
    const daemon = await startWitnessed(t, '', 200);
    openToOthers(daemon.runtimeDir);
    const bystander = await Bystander.of(t, daemon);
    const before = childrenOf(daemon.pid);
    const client = await hostile(t, daemon, {
      file: 'lingering',
      datagrams: LINGERING,
      leave: true,
      count: 64,
      uid: TENANT,
    });
    if (!client) return;
    await isWelcome(t, daemon.runtimeDir, 'another user is served');
    await bystander.sees(t, 0, 'all are closed');
    await onlyThese(t, daemon.pid, before);
    await client.end();
    t.strictSame(daemon.failures(), []);
    await assertNoLeaks(t, daemon.runtimeDir);
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
