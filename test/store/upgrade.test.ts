/**
 * A ledger that a daemon from before tenants wrote (version 2, commit 19c6b89): all of it is restored, and
 * then written in the current format. The fixture has the keys and values of that build's LMDB file; the
 * clock of its host was 50 years ahead, so that no ticket has expired. The fds are created by this test.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeAll, createMemfd, DatagramReceiver, type OwnedFd, openPidfd } from '@vkmemd/proto';
import { open } from 'lmdb';
import t, { type Test } from 'tap';
import { LedgerFile } from 'vkmemd/dist/store/ledger-file.js';
import { fromVersion2 } from 'vkmemd/dist/store/upgrade.js';
import { ControlWire } from '../support/control-wire.js';
import {
  daemonProgram,
  driverUnderTest,
  plainEnvironment,
  plainNode,
  root,
  temporaryFolder,
} from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { until } from '../support/supervised-daemon.js';

/** The answers that the client got from that daemon. */
interface Recorded {
  readonly frames: string;
  readonly own: string;
  readonly mine: string;
  readonly secret: string;
}

interface Fixture {
  readonly told: Recorded;
  /** By database, the root's under ''; values in base64. */
  readonly dump: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const fixture: Fixture = JSON.parse(
  readFileSync(join(root, 'test/store/fixtures/ledger-version-2.json'), 'utf8'),
);
/** User 1000 was the client, with a session; root created `mine`. */
const OWNER = { ownerUid: 1000, owner: { key: 'uid:1000', uid: 1000, name: '1000' } };

/** Writes the old ledger into the daemon's folder. @returns the folder of the ledger. */
async function writeLedger(runtimeDir: string): Promise<string> {
  const folder = join(runtimeDir, 'state');
  mkdirSync(folder, { mode: 0o700 });
  const options = { noSync: true, maxDbs: 16, encoding: 'binary' } as const;
  const file = open<Buffer, string>({ path: join(folder, 'ledger.mdb'), ...options });
  for (const [name, records] of Object.entries(fixture.dump)) {
    const database = name === '' ? file : file.openDB<Buffer, string>({ name, encoding: 'binary' });
    for (const [key, value] of Object.entries(records)) database.putSync(key, Buffer.from(value, 'base64'));
  }
  await file.close();
  return folder;
}

/** The fds that a service manager returns, under the recorded names. */
async function storedFds(pid: number): Promise<Map<string, OwnedFd>> {
  const memory = (size: bigint) => createMemfd('kept', size);
  return new Map([
    ['s1', openPidfd(pid)],
    ['a1', await memory(8192n)],
    ['a2', await memory(4096n)],
    ['a3', await memory(4096n)],
  ]);
}

/** Starts a daemon as a service manager does, with fds from 3 on. */
async function restart(t: Test, runtimeDir: string, retained: ReadonlyMap<string, OwnedFd>) {
  const notify = join(temporaryFolder(t), 'notify');
  const manager = DatagramReceiver.bind(notify, {
    message: ({ fds }) => closeAll(fds),
    error: (failure: Error) => t.fail(String(failure)),
  });
  const [file, args] = plainNode([daemonProgram, '--runtime-dir', runtimeDir, '--config', '/dev/null']);
  const env = {
    ...plainEnvironment(),
    VK_DRIVER_FILES: driverUnderTest(),
    NOTIFY_SOCKET: notify,
    VKMEMD_FDSTORE_MAX: '100',
    LISTEN_FDS: String(retained.size),
    LISTEN_FDNAMES: [...retained.keys()].join(':'),
  };
  const child = spawn('sh', ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', file, ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe', ...[...retained.values()].map(({ fd }) => fd)],
  }) as ChildProcess;
  let log = '';
  child.stderr?.on('data', (text) => {
    log += text;
  });
  const ended = once(child, 'exit');
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
    manager.close();
  };
  t.teardown(stop);
  await until('a daemon that serves requests', async () => {
    if (child.exitCode !== null) throw new Error(`it ended: ${log}`);
    const control = new ControlWire(runtimeDir);
    return control
      .call('ListDevices', {})
      .catch(() => undefined)
      .finally(() => control.close());
  });
  return { stop };
}

/** The ids of the records that cannot be restored. */
function unreadableOf(ledger: LedgerFile): string[] {
  const found: string[] = [];
  for (const table of [ledger.allocations, ledger.sessions, ledger.grants, ledger.tickets, ledger.quotas]) {
    table.read(({ id }) => found.push(id));
  }
  return found.sort();
}

t.test('everything in a ledger of version 2 is restored', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const folder = await writeLedger(runtimeDir);
  const { frames, own, mine, secret } = fixture.told;
  const retained = await storedFds(process.pid);
  for (const usesLeft of [2, 1]) {
    const daemon = await restart(t, runtimeDir, retained);
    const control = new ControlWire(runtimeDir);
    const { allocations } = await control.call('ListAllocations', {});
    t.match(
      allocations,
      [
        { id: frames, name: 'frames', lifetime: 'LIFETIME_NAMED', sharing: 'SHARING_ONE_WRITER', ...OWNER },
        { id: own, name: '', lifetime: 'LIFETIME_SESSION', ...OWNER },
        { id: mine, name: 'mine', ownerUid: 0, owner: { key: 'uid:0', uid: 0, name: '0' } },
      ],
      'allocations, including those of a living session',
    );
    t.strictSame(
      allocations.map(({ sizeBytes, grants, writerSessionId, kept: stays }) => [
        sizeBytes,
        grants,
        writerSessionId,
        stays,
      ]),
      [
        [8192n, 1, 1n, true],
        [4096n, 1, 0n, true],
        [4096n, 0, 0n, true],
      ],
      'with their grants and locks',
    );
    t.match((await control.call('GetQuota', { uid: 1000 })).quota, {
      uid: 1000,
      tenant: OWNER.owner,
      overridden: true,
      heaps: [{ limitBytes: 1n << 20n, usedBytes: 12_288n, reservedBytes: 65_536n }],
      allocations: { used: 2 },
      sessions: { limit: 3, used: 1 },
      tickets: { limit: 7, used: 2 },
    });
    t.match(
      (await control.call('GetQuota', { uid: 12_345 })).quota,
      { uid: 12_345, overridden: true, allocations: { limit: 5, used: 0 } },
      'quotas, also of users that have nothing',
    );
    const { tickets } = await control.call('ListTickets', {});
    t.strictSame(
      tickets
        .map((ticket) => [ticket.ownerUid, ticket.allocationId, ticket.forUid ?? 0, ticket.usesLeft])
        .sort(),
      [
        [1000, frames, 0, usesLeft],
        [1000, frames, 4242, 1],
      ],
      'tickets, with their remaining uses',
    );
    const wire = await HandoffWire.open(runtimeDir);
    const write = { allocation: { name: '1000/frames' }, kinds: ['KIND_MAPPABLE'] as const };
    await t.rejects(wire.ask({ claim: write }), { code: 'BUSY', metadata: { writer_session_id: '1' } });
    const { message, fds } = await wire.ask({ claim: { ticket: secret } });
    t.equal(message.claim?.allocation?.id, frames, 'the old secret is valid');
    closeAll(fds);
    await wire.ask({ release: { grantId: message.claim?.grants[0]?.id ?? 0n } });
    wire.close();
    await until('the end of the session', async () => {
      const { counts } = await control.call('GetBudget', {});
      return counts?.sessions === 1 || undefined;
    });
    control.close();
    await daemon.stop();
    const ledger = LedgerFile.open(folder);
    t.strictSame([ledger.head?.version, unreadableOf(ledger)], [3, []]);
    const records = [...ledger.allocations.all, ...ledger.sessions.all, ...ledger.tickets.all];
    t.equal(records.length, 3 + 1 + usesLeft, 'a used-up ticket is removed');
    t.strictSame(
      [...new Set(records.map(({ tenant }) => tenant))].sort(),
      ['uid:0', 'uid:1000'],
      'records are written by tenant now',
    );
    t.strictSame(
      ['uid:1000', 'uid:12345'].map((key) => ledger.quotas.get(key)?.tenant),
      ['uid:1000', 'uid:12345'],
    );
    t.equal(ledger.quotas.all.length, 2);
    await ledger.close();
  }
  closeAll(retained.values());
});

t.test('every record has a version; an unreadable one does not affect the others', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const folder = await writeLedger(runtimeDir);
  const file = open<unknown, string>({ path: join(folder, 'ledger.mdb'), noSync: true, maxDbs: 16 });
  file.openDB<unknown, string>({ name: 'sessions' }).putSync('9', { id: 9n });
  file.openDB<unknown, string>({ name: 'quotas' }).putSync('10', { uid: 'root' });
  await file.close();
  const ledger = LedgerFile.open(folder);
  t.strictSame(unreadableOf(ledger), ['10', '9']);
  t.equal(ledger.sessions.all.length, 1);
  await ledger.close();
  const raw = open<unknown, string>({ path: join(folder, 'ledger.mdb'), noSync: true, maxDbs: 16 });
  for (const name of ['allocations', 'sessions', 'grants', 'tickets', 'quotas']) {
    const records = [...raw.openDB<{ version: number }, string>({ name }).getRange()];
    const old = records.filter(({ value }) => value.version !== 3).map(({ key }) => String(key));
    t.ok(records.length > old.length && old.every((key) => ['9', '10'].includes(key)), name);
  }
  await raw.close();
  const second = LedgerFile.open(folder);
  t.strictSame(unreadableOf(second), ['10', '9'], 'they stay');
  await second.close();
  t.throws(() => fromVersion2.quotas({ uid: -1, limits: [], reserved: [], counts: {} }), /is not a uid/);
});
