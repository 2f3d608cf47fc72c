/**
 * Records that a start cannot restore: each is set aside, reported, and kept with its fds; everything else is
 * restored. A later start restores what no longer conflicts.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { open } from 'lmdb';
import t, { type Test } from 'tap';
import { plainNode, root } from '../support/daemon.js';
import { type Greeted, SupervisedDaemon } from '../support/supervised-daemon.js';
import { allocate, between, claim, controlled, holds, kinds, list, nothingLeft } from './support.js';

// Each starts several daemons.
t.setTimeout(300_000);

type Raw = Record<string, unknown>;
const TABLES = ['allocations', 'sessions', 'grants', 'tickets', 'quotas', 'servers', 'peers'] as const;
type Tables = Record<(typeof TABLES)[number], Map<string, Raw>>;

/** Changes the records of the ledger while no daemon runs; a removed entry is removed. */
function rewriteRaw(daemon: SupervisedDaemon, change: (tables: Tables) => void): Promise<void> {
  return between(daemon, async () => {
    const path = join(daemon.runtimeDir, 'state/ledger.mdb');
    const file = open<Raw, string>({ path, noSync: true, maxDbs: 16 });
    const databases = TABLES.map((name) => [name, file.openDB<Raw, string>({ name })] as const);
    const tables = Object.fromEntries(
      databases.map(([name, database]) => [
        name,
        new Map([...database.getRange()].map(({ key, value }) => [String(key), value])),
      ]),
    ) as Tables;
    const before = new Map(databases.map(([name]) => [name, new Set(tables[name].keys())]));
    change(tables);
    for (const [name, database] of databases) {
      for (const key of before.get(name) ?? []) if (!tables[name].has(key)) database.removeSync(key);
      for (const [key, value] of tables[name]) database.putSync(key, value);
    }
    await file.close();
  });
}

const named = (tables: Tables, name: string): Raw => {
  const found = [...tables.allocations.values()].find(({ terms }) => (terms as Raw).name === name);
  if (!found) throw new Error(`no allocation ${name}`);
  return found;
};

const names = async (daemon: SupervisedDaemon): Promise<string[]> =>
  (await list(daemon)).map(({ name }) => name).sort();

/** The messages of the warnings about records. */
const aside = (daemon: SupervisedDaemon): Promise<string[]> =>
  controlled(daemon, async (control) => {
    const { warnings } = await control.call('GetStatus', {});
    return warnings.filter(({ code }) => code === 'RECORD_SET_ASIDE').map(({ message }) => message);
  });

async function free(daemon: SupervisedDaemon, ...all: string[]): Promise<void> {
  await controlled(daemon, async (control) => {
    for (const name of all) await control.call('FreeAllocation', { allocation: { name } });
  });
}

/** A daemon with the memory `good`, filled with 5, and `odd`, filled with 6. */
async function started(t: Test): Promise<{ daemon: SupervisedDaemon; wire: Greeted }> {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  for (const [name, byte] of [['good', 5] as const, ['odd', 6] as const]) {
    const { grantId, fd } = await allocate(wire, byte, { name });
    fd.close();
    await wire.ask({ release: { grantId } });
  }
  return { daemon, wire };
}

/** Each change of the record of `odd`, and what is said about it. */
const ODD: readonly [what: string, change: (odd: Raw, good: Raw) => Raw, reason: RegExp][] = [
  ['the name of another', (odd) => ({ ...odd, terms: { ...(odd.terms as Raw), name: 'good' } }), /name is/],
  ['the fd of another', (odd, { fds }) => ({ ...odd, fds }), /fd a\w+ is also of another record/],
  ['no plan', ({ plan: _, ...odd }) => odd, /field plan/],
  ['half a plan', (odd) => ({ ...odd, plan: { size: 8192n } }), /field plan/],
  ['no fds', (odd) => ({ ...odd, fds: [] }), /field fds/],
  ['a state that is not known', (odd) => ({ ...odd, state: 'LATER' }), /field state/],
  [
    'a kind that is not known',
    (odd) => ({ ...odd, terms: { ...(odd.terms as Raw), kinds: ['NEW'] } }),
    /terms/,
  ],
  ['a later version', (odd) => ({ ...odd, version: 4 }), /version is 4/],
  ['no version', ({ version: _, ...odd }) => odd, /version/],
  ['another id than its key', (odd) => ({ ...odd, id: 'other' }), /stored under/],
];

for (const [what, change, reason] of ODD) {
  t.test(`an allocation with ${what}`, async (t) => {
    const { daemon, wire } = await started(t);
    const { memory } = daemon.storedFds;
    let original: Raw | undefined;
    await rewriteRaw(daemon, (tables) => {
      const odd = named(tables, 'odd');
      original = odd;
      tables.allocations.set(String(odd.id), change(odd, named(tables, 'good')));
    });
    t.strictSame(await names(daemon), ['good'], 'the other is restored');
    t.match(await aside(daemon), [reason]);
    t.match(await aside(daemon), [new RegExp(String(original?.id))], 'it is named');
    t.match(daemon.log, reason, 'in the log too');
    t.equal(daemon.storedFds.memory, memory, 'its fd is kept');
    const reader = await daemon.open();
    const held = await claim(reader, { name: 'good' });
    t.ok(holds(held, 5));
    held.fd.close();
    await reader.ask({ release: { grantId: held.grantId } });
    await daemon.kill();
    await daemon.serving();
    t.match(await aside(daemon), [reason], 'it stays at later starts');
    await rewriteRaw(daemon, ({ allocations }) => {
      if (original) allocations.set(String(original.id), original);
    });
    t.strictSame(await names(daemon), ['good', 'odd'], 'what is right again is restored');
    const again = await daemon.open();
    const odd = await claim(again, { name: 'odd' });
    t.ok(holds(odd, 6), 'with its bytes');
    odd.fd.close();
    await again.ask({ release: { grantId: odd.grantId } });
    await free(daemon, 'good', 'odd');
    for (const each of [wire, reader, again]) each.close();
    await nothingLeft(t, daemon);
  });
}

t.test('the name of another is restored once it is free', async (t) => {
  const { daemon, wire } = await started(t);
  await rewriteRaw(daemon, (tables) => {
    const odd = named(tables, 'odd');
    tables.allocations.set(String(odd.id), { ...odd, terms: { ...(odd.terms as Raw), name: 'good' } });
  });
  await free(daemon, 'good');
  await daemon.kill();
  await daemon.serving();
  t.strictSame(await aside(daemon), []);
  const reader = await daemon.open();
  const held = await claim(reader, { name: 'good' });
  t.ok(holds(held, 6), 'the bytes of the second');
  held.fd.close();
  await reader.ask({ release: { grantId: held.grantId } });
  await free(daemon, 'good');
  for (const each of [wire, reader]) each.close();
  await nothingLeft(t, daemon);
});

t.test('a session that cannot be restored keeps its memory stored', async (t) => {
  const { daemon, wire } = await started(t);
  const own = await allocate(wire, 9);
  let original: [string, Raw] | undefined;
  await rewriteRaw(daemon, ({ sessions }) => {
    const [first] = [...sessions];
    if (!first) throw new Error('no session');
    original = first;
    sessions.set(first[0], { ...first[1], identity: { uid: 0 } });
  });
  t.strictSame(await names(daemon), ['good', 'odd']);
  t.match(
    (await aside(daemon)).sort(),
    [/The allocation .* its session 1 was set aside/, /The session 1 .* field identity/],
    'with the session, its memory is set aside',
  );
  await rewriteRaw(daemon, ({ sessions }) => {
    if (original) sessions.set(...original);
  });
  t.strictSame(await aside(daemon), []);
  const { sessionToken: token } = wire.welcome;
  const again = await daemon.open({ token, grantIds: [own.grantId] });
  t.ok(again.welcome.restored, 'a later start restores the session');
  t.strictSame(await names(daemon), ['', 'good', 'odd'], 'and its memory');
  own.fd.close();
  await free(daemon, 'good', 'odd');
  for (const each of [wire, again]) each.close();
  await nothingLeft(t, daemon);
});

t.test('odd records of every table at once do not prevent a start', async (t) => {
  const { daemon, wire } = await started(t);
  await wire.ask({ createTicket: { allocation: { name: 'good' }, kinds } });
  const held = await claim(wire, { name: 'good' });
  await rewriteRaw(daemon, (tables) => {
    for (const name of TABLES) {
      tables[name].set('77', { version: 3 });
      tables[name].set('78', { version: 9, id: 78n });
      tables[name].set('79', 'text' as never);
      tables[name].set('80', [1, 2] as never);
    }
  });
  t.strictSame(await names(daemon), ['good', 'odd']);
  const messages = await aside(daemon);
  t.equal(messages.length, 17);
  t.match(messages.at(-1), /12 more records/);
  const status = await promisify(execFile)(
    ...plainNode([
      join(root, 'client/typescript/bin/vkmemctl.js'),
      '--runtime-dir',
      daemon.runtimeDir,
      'status',
    ]),
  );
  t.match(status.stdout, /RECORD_SET_ASIDE: .*The \w+ 77 was set aside/);
  const next = await daemon.open();
  t.ok(next.welcome.sessionId > 80n, 'ids of such sessions are not used again');
  await rewriteRaw(daemon, (tables) => {
    for (const name of TABLES) for (const key of ['77', '78', '79', '80']) tables[name].delete(key);
  });
  held.fd.close();
  await free(daemon, 'good', 'odd');
  const { sessionToken: token } = wire.welcome;
  const again = await daemon.open({ token, grantIds: [] });
  for (const each of [wire, next, again]) each.close();
  await nothingLeft(t, daemon);
});
