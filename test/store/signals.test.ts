/**
 * Signals over restarts of the daemon: unopened ones can be opened once afterwards, with every ring before and
 * meanwhile; opened ones never notice. They end with their session, and what cannot be kept is refused.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, connect } from '@vkmemd/client';
import { closeAll, DatagramSender } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import type { SessionRecord, SignalRecord } from 'vkmemd/dist/store/records.js';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import { type Greeted, SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { between, controlled, nothingLeft, rewritten } from './support.js';

// Each starts several daemons.
t.setTimeout(300_000);

const SIGNALLER = fileURLToPath(new URL('programs/signaller.js', import.meta.url));
const MAX_OF_SESSION = 64;

/** The number of eventfds that the supervisor has open. */
function eventFds({ supervisor }: SupervisedDaemon): number {
  const folder = `/proc/${supervisor}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).includes('eventfd');
    } catch {
      return false; // It was closed meanwhile.
    }
  }).length;
}

/**
 * Fills a socket that no process reads. How much it holds is the kernel's setting (net.unix.max_dgram_qlen), and
 * may be more than what one sender may have unread.
 */
function fill(address: string): DatagramSender[] {
  const senders: DatagramSender[] = [];
  for (let sent = 1; sent > 0; ) {
    const sender = new DatagramSender(address);
    senders.push(sender);
    for (sent = 0; sender.send(Buffer.from('X_OF_A_TEST=1')); ) sent += 1;
  }
  return senders;
}

const statusOf = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'utf8');

/** A daemon, and a check that nothing of any signal is left. */
async function started(t: Test, policy = '') {
  const daemon = await SupervisedDaemon.start(t, { policy });
  const own = eventFds(daemon);
  const stored = () => eventFds(daemon) - own;
  const empty = async () => {
    await until('a supervisor without eventfds of signals', () => (stored() === 0 ? true : undefined));
    await nothingLeft(t, daemon);
  };
  return { daemon, stored, empty };
}

/** The leased fds, without those of control connections: gRPC keeps some that this test has closed. */
const leased = (daemon: SupervisedDaemon): Promise<number> =>
  controlled(daemon, async (control) => {
    const { families } = await control.call('GetMetrics', {});
    const read = (name: string, plane?: string) =>
      families
        .find((family) => family.name === `vkmemd_${name}`)
        ?.metrics.find(({ labels }) => plane === undefined || labels.some(({ value }) => value === plane))
        ?.value ?? 0;
    return read('fds_leased') - read('connections', 'control');
  });

const reconnected = async (...clients: readonly Client[]): Promise<boolean[]> =>
  Promise.all(
    clients.map(async (client) => {
      const [{ restored }] = await once(client, 'reconnected');
      return restored as boolean;
    }),
  );

/** A signal that the test keeps the secret of. */
async function create(wire: Greeted): Promise<string> {
  const { message, fds } = await wire.ask({ createSignal: {} });
  closeAll(fds);
  return message.createSignal?.secret ?? '';
}

/** Creates signals until one is refused. */
async function createAll(wire: Greeted): Promise<{ readonly made: string[]; readonly end: unknown }> {
  const made: string[] = [];
  try {
    for (;;) made.push(await create(wire));
  } catch (end) {
    return { made, end };
  }
}

/** Opens the signal, and closes its eventfds. @returns their number. */
async function open(wire: Greeted, secret: string): Promise<number> {
  const { fds } = await wire.ask({ openSignal: { secret } });
  closeAll(fds);
  return fds.length;
}

for (const end of ['SIGKILL', 'SIGTERM'] as const) {
  t.test(`${end}: opened and unopened signals`, async (t) => {
    const { daemon, stored, empty } = await started(t);
    const { runtimeDir } = daemon;
    const one = await connect({ runtimeDir });
    const other = await connect({ runtimeDir });
    const opened = await one.signals.create();
    const far = await other.signals.open(opened.secret);
    const unopened = await one.signals.create();
    const used = await one.signals.create();
    unopened.signal.ring();
    const [id, before] = [one.session.id, await leased(daemon)];
    await until('two stored signals', () => (stored() === 4 ? true : undefined));
    const again = reconnected(one, other);
    await daemon.kill(end);
    unopened.signal.ring();
    opened.signal.ring();
    t.equal(await far.wait(), 1n, 'an opened one works while no daemon runs');
    await daemon.serving();
    const [restored] = await again;
    t.equal(restored, true, 'the session that made unopened signals is restored');
    t.equal(one.session.id, id);
    t.equal(await leased(daemon), before, 'their fds are leased as before');
    const late = await other.signals.open(unopened.secret);
    t.equal(await late.wait(), 2n, 'rings before and during the restart are counted');
    const rung = unopened.signal.wait();
    late.ring();
    t.equal(await rung, 1n, 'in the other direction');
    await t.rejects(one.signals.open(unopened.secret), { code: 'TICKET_INVALID' }, 'it is opened once');
    await t.rejects(one.signals.open(opened.secret), { code: 'TICKET_INVALID' });
    await daemon.kill(end);
    await daemon.serving();
    await t.rejects(other.signals.open(unopened.secret), { code: 'TICKET_INVALID' }, 'also after a restart');
    far.ring();
    t.equal(await opened.signal.wait(), 1n, 'an opened one works on');
    t.equal(stored(), 2, 'what is left is stored');
    const more = [];
    for (let at = 1; at < MAX_OF_SESSION; at += 1) more.push(await one.signals.create());
    await t.rejects(one.signals.create(), { code: 'QUOTA_EXCEEDED' }, 'restored ones count');
    await (await other.signals.open(used.secret)).close();
    more.push(await one.signals.create());
    await one.close();
    await until('the end of its signals', () => (stored() === 0 ? true : undefined));
    const last = more.at(-1)?.secret ?? '';
    await t.rejects(other.signals.open(last), { code: 'TICKET_INVALID' }, 'they end with the session');
    await other.close();
    await empty();
  });
}

t.test('a process that ends while no daemon runs ends its signals', async (t) => {
  const { daemon, stored, empty } = await started(t);
  const child = spawn(...plainNode([SIGNALLER, daemon.runtimeDir]), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  await until('a stored signal', () => (stored() === 2 ? true : undefined));
  await between(daemon, async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const wire = await daemon.open();
  await t.rejects(wire.ask({ openSignal: { secret: String(line).trim() } }), { code: 'TICKET_INVALID' });
  wire.close();
  await empty();
});

t.test('a session that has nothing but an unopened signal waits for its client', async (t) => {
  const { daemon, empty } = await started(t);
  const wire = await daemon.open();
  const secret = await create(wire);
  await daemon.kill();
  await daemon.serving();
  const token = wire.welcome.sessionToken;
  const again = await daemon.open({ token, grantIds: [] });
  t.equal(again.welcome.restored, true);
  t.equal(await open(again, secret), 2);
  await daemon.kill();
  await daemon.serving();
  const third = await daemon.open({ token: again.welcome.sessionToken, grantIds: [] });
  t.equal(third.welcome.restored, false, 'without one it has nothing left');
  for (const each of [wire, again, third]) each.close();
  await empty();
});

t.test('killed at each step', async (t) => {
  const { daemon, stored, empty } = await started(t);
  for (const [point, exists] of [
    ['signal:stored', 0],
    ['signal:written', 2],
  ] as const) {
    const wire = await daemon.open();
    const pid = await until('a daemon', () => daemon.pid);
    daemon.failAt(point);
    wire.send({ createSignal: {} });
    await wire.closed;
    await daemon.gone(pid);
    await daemon.serving();
    await until(`${exists} fds after ${point}`, () => (stored() === exists ? true : undefined));
    wire.close();
    await daemon.open({ token: wire.welcome.sessionToken, grantIds: [] }).then((next) => next.close());
    await empty();
  }
  const wire = await daemon.open();
  const secret = await create(wire);
  const pid = await until('a daemon', () => daemon.pid);
  daemon.failAt('signal:opening');
  wire.send({ openSignal: { secret } });
  await wire.closed;
  await daemon.gone(pid);
  await daemon.serving();
  const next = await daemon.open();
  await t.rejects(next.ask({ openSignal: { secret } }), { code: 'TICKET_INVALID' }, 'never opened twice');
  for (const each of [wire, next]) each.close();
  await empty();
});

t.test('a ledger that cannot be written', async (t) => {
  const { daemon, stored, empty } = await started(t);
  const wire = await daemon.open();
  const secret = await create(wire);
  const before = await leased(daemon);
  daemon.failWrites('ENOSPC');
  const refused = { code: 'LEDGER_FULL', metadata: { errno: 'ENOSPC', folder: /\/state$/ } };
  // A refused one does not count as unopened.
  for (let at = 0; at < MAX_OF_SESSION; at += 1) await t.rejects(wire.ask({ createSignal: {} }), refused);
  await t.rejects(wire.ask({ openSignal: { secret } }), refused);
  await until('only the first', () => (stored() === 2 ? true : undefined));
  t.equal(await leased(daemon), before, 'nothing is leased for what was refused');
  daemon.writesSucceed();
  const fds = await until('writes', () =>
    open(wire, secret).catch(({ code }) => {
      if (code !== 'LEDGER_FULL') throw new Error(code);
      return undefined;
    }),
  );
  t.equal(fds, 2, 'a refused open has not used up the secret');
  wire.close();
  await empty();
});

t.test('an fd store that is full', async (t) => {
  const { daemon, stored, empty } = await started(t, '[limits]\nstored_fds = 8\n');
  const wire = await daemon.open();
  const { made, end } = await createAll(wire);
  t.match(end, { code: 'TOO_MANY_FILES', reason: /fd store/ });
  t.ok(made.length > 0);
  await until('nothing of the last one', () => (stored() === 2 * made.length ? true : undefined));
  await open(wire, made[0] ?? '');
  await until('room', () => (stored() === 2 * made.length - 2 ? true : undefined));
  await create(wire);
  wire.close();
  await empty();
});

t.test('a service manager that does not read its socket', async (t) => {
  const { daemon, empty } = await started(t);
  const wire = await daemon.open();
  const before = await leased(daemon);
  process.kill(daemon.supervisor, 'SIGSTOP');
  await until('a stopped manager', () =>
    /^State:\tT/m.test(statusOf(daemon.supervisor)) ? true : undefined,
  );
  const senders = fill(join(daemon.runtimeDir, 'supervisor', 'notify'));
  const { made, end } = await createAll(wire);
  process.kill(daemon.supervisor, 'SIGCONT');
  for (const sender of senders) sender.close();
  t.match(end, { code: 'UNAVAILABLE' }, 'refused once its socket is full');
  t.equal(await leased(daemon), Number(before) + 2 * made.length, 'nothing is leased for what was refused');
  wire.close();
  await empty();
});

t.test('records that do not fit are set aside', async (t) => {
  const { daemon, stored, empty } = await started(t);
  const wire = await daemon.open();
  const secrets: string[] = [];
  for (let at = 0; at < 4; at += 1) secrets.push(await create(wire));
  await until('four stored signals', () => (stored() === 8 ? true : undefined));
  const aside = () =>
    controlled(daemon, async (control) => {
      const { warnings } = await control.call('GetStatus', {});
      return warnings.filter(({ code }) => code === 'RECORD_SET_ASIDE').map(({ message }) => message);
    });
  const kept: SignalRecord[] = [];
  await rewritten(daemon, ({ signals }) => {
    const [one, two, three] = signals.all.sort((a, b) => (a.hash < b.hash ? -1 : 1));
    if (!one || !two || !three) throw new Error('no records');
    kept.push(two, three);
    signals.put(two.hash, { ...two, names: one.names });
    signals.put(three.hash, { ...three, names: three.names.slice(1) });
  });
  t.match((await aside()).sort().join(' '), /also of another.*field names|field names.*also of another/);
  t.equal((await aside()).length, 2, 'the others are restored');
  t.equal(stored(), 8, 'all fds stay');
  await rewritten(daemon, ({ signals }) => {
    for (const record of kept) signals.put(record.hash, record);
  });
  t.strictSame(await aside(), [], 'what fits again is restored');
  const again = await daemon.open({ token: wire.welcome.sessionToken, grantIds: [] });
  for (const secret of secrets) t.equal(await open(again, secret), 2);
  for (const each of [wire, again]) each.close();
  await empty();
});

t.test('signals of a session that is set aside stay stored', async (t) => {
  const { daemon, stored, empty } = await started(t);
  const wire = await daemon.open();
  const secret = await create(wire);
  await until('a stored signal', () => (stored() === 2 ? true : undefined));
  let session: SessionRecord | undefined;
  await rewritten(daemon, ({ sessions }) => {
    [session] = sessions.all;
    if (session) sessions.put(session.id, { ...session, watched: 'later' as never });
  });
  t.equal(stored(), 2);
  const other = await daemon.open();
  await t.rejects(open(other, secret), { code: 'TICKET_INVALID' });
  await rewritten(daemon, ({ sessions }) => {
    if (session) sessions.put(session.id, session);
  });
  const again = await daemon.open({ token: wire.welcome.sessionToken, grantIds: [] });
  t.equal(await open(again, secret), 2);
  for (const each of [wire, other, again]) each.close();
  await empty();
});

t.test('signals without a session, and without a stored fd, are removed', async (t) => {
  const { daemon, stored, empty } = await started(t);
  const wire = await daemon.open();
  for (let at = 0; at < 3; at += 1) await create(wire);
  await until('three stored signals', () => (stored() === 6 ? true : undefined));
  await rewritten(daemon, ({ signals }) => {
    const [one, two] = signals.all;
    if (one) signals.put(one.hash, { ...one, session: 1n << 40n });
    if (two) signals.put(two.hash, { ...two, names: [two.names[0] ?? '', 'fzzzz'] });
  });
  await until('one stored signal', () => (stored() === 2 ? true : undefined));
  await rewritten(daemon, ({ signals }) => {
    t.equal(signals.all.length, 1);
  });
  const again = await daemon.open({ token: wire.welcome.sessionToken, grantIds: [] });
  for (const each of [wire, again]) each.close();
  await empty();
});
