/**
 * The journal's native protocol, with a real datagram socket in place of journald's: the fields of an entry,
 * entries that are too long, a full or missing journal; and a daemon whose standard error is the journal.
 */
import { spawn, spawnSync } from 'node:child_process';
import { fstatSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeEntry, entryOf, isJournal, Journal, MAX_VALUE_BYTES } from 'vkmemd/dist/systemd/journal.js';
import { until } from '../faults/support.js';
import {
  daemonProgram,
  driverUnderTest,
  plainEnvironment,
  plainNode,
  temporaryFolder,
} from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { manager } from './manager.js';

/** Decodes a datagram as journald does. */
function decoded(entry: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = 0; at < entry.length; ) {
    const line = entry.indexOf('\n', at);
    const text = entry.toString('utf8', at, line);
    const equals = text.indexOf('=');
    if (equals > 0) {
      fields[text.slice(0, equals)] = text.slice(equals + 1);
      at = line + 1;
      continue;
    }
    const length = Number(entry.readBigUInt64LE(line + 1));
    fields[text] = entry.toString('utf8', line + 9, line + 9 + length);
    at = line + 9 + length + 1;
  }
  return fields;
}

t.test('the fields of an entry are encoded', async (t) => {
  t.equal(encodeEntry({ MESSAGE: 'one', PRIORITY: '6' }).toString(), 'MESSAGE=one\nPRIORITY=6\n');
  const lines = encodeEntry({ MESSAGE: 'a\nb', PRIORITY: '6' });
  const length = '\u0003\0\0\0\0\0\0\0';
  t.equal(lines.toString('latin1'), `MESSAGE\n${length}a\nb\nPRIORITY=6\n`, 'a value with a newline');
  const long = decoded(encodeEntry({ MESSAGE: 'é'.repeat(MAX_VALUE_BYTES) })).MESSAGE ?? '';
  t.ok(Buffer.byteLength(long) <= MAX_VALUE_BYTES);
  t.match(long, /^é+… \(cut\)$/, 'too long, truncated between two characters');
});

t.test('a line of the log becomes an entry', async (t) => {
  const line = (fields: object) =>
    entryOf(`${JSON.stringify({ level: 30, time: 1, pid: 2, name: 'vkmemd', ...fields })}\n`);
  t.strictSame(line({ msg: 'stopped' }), {
    MESSAGE: 'stopped',
    PRIORITY: '6',
    SYSLOG_IDENTIFIER: 'vkmemd',
  });
  const fields = { session: '4', uid: 1000, allocation: 'a-b', code: 'BUSY', device: 'uuid', bytes: '7' };
  t.strictSame(line({ level: 20, msg: 'made', ...fields }), {
    MESSAGE: 'made (session=4 uid=1000 allocation=a-b code=BUSY bytes=7)',
    PRIORITY: '7',
    SYSLOG_IDENTIFIER: 'vkmemd',
    VKMEMD_SESSION: '4',
    VKMEMD_UID: '1000',
    VKMEMD_ALLOCATION: 'a-b',
    VKMEMD_CODE: 'BUSY',
    VKMEMD_DEVICE: 'uuid',
  });
  const err = { type: 'VkmemError', message: 'why', stack: 'why\n  at', code: 'INTERNAL' };
  t.match(line({ level: 50, msg: 'failed', err }), {
    MESSAGE: 'failed: why',
    PRIORITY: '3',
    VKMEMD_CODE: 'INTERNAL',
    VKMEMD_STACK: 'why\n  at',
  });
  t.equal(line({ level: 60 }).PRIORITY, '2');
  t.equal(line({ level: 40 }).PRIORITY, '4');
  t.equal(entryOf('no JSON\n').MESSAGE, 'no JSON');
});

t.test('a journal that is available, full, and missing', async (t) => {
  const path = join(temporaryFolder(t), 'socket');
  const { messages, close } = manager(path);
  const journal = await Journal.open(path);
  t.teardown(() => journal[Symbol.dispose]());
  journal.send({ MESSAGE: 'a\nb' });
  await until('it came', () => messages.length === 1);
  t.strictSame(decoded(Buffer.from(messages[0] ?? '')), { MESSAGE: 'a\nb' });
  // The receiver does not run in this turn of the event loop.
  t.throws(() => {
    for (let sent = 0; sent < 100_000; sent += 1) journal.send({ MESSAGE: String(sent) });
  }, /did not receive an entry/);
  const full: Record<string, string> = {};
  for (let field = 0; field < 10; field += 1) full[`FIELD${field}`] = 'x'.repeat(MAX_VALUE_BYTES + 1);
  await until('the queue has space again', () => messages.includes('MESSAGE=0\n'));
  journal.send(full);
  close();
  t.throws(() => journal.send({ MESSAGE: 'c' }), /did not receive an entry/);
  await t.rejects(Journal.open('relative'), /not an absolute path/);
});

t.test('standard error is recognised as the journal', async (t) => {
  const fd = openSync('/dev/null', 'w');
  const { dev, ino } = fstatSync(fd, { bigint: true });
  t.equal(isJournal(fd, { JOURNAL_STREAM: `${dev}:${ino}` }), true);
  t.equal(isJournal(fd, { JOURNAL_STREAM: `${dev}:${ino + 1n}` }), false, 'redirected');
  t.equal(isJournal(fd, {}), false);
});

/**
 * Executes the rest of its arguments in a mount namespace in which the folder $1 is where journald has its
 * socket.
 */
const IN_PLACE = `mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind "$1" /run/systemd/journal &&
shift && JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) && export JOURNAL_STREAM && exec "$@"`;
const UNSHARE = ['--mount', '--propagation', 'private', 'sh', '-c', IN_PLACE, 'sh'];

/** The reason why no such namespace is possible here; false where it is. */
function refused(folder: string): string | false {
  const { status, stderr, error } = spawnSync('unshare', [...UNSHARE, folder, 'true'], { encoding: 'utf8' });
  return status === 0 ? false : `no mount namespace: ${error?.message ?? stderr}`;
}

t.test('a daemon whose standard error is the journal logs to it', async (t) => {
  const folder = temporaryFolder(t);
  const skip = refused(folder);
  if (skip) {
    t.pass('the entry is in the journal', { skip });
    return;
  }
  const runtimeDir = join(folder, 'run');
  mkdirSync(runtimeDir);
  const { messages, close } = manager(join(folder, 'socket'));
  const args = ['--runtime-dir', runtimeDir, '--config', '/dev/null', '--log-level', 'debug'];
  const [node, nodeArgs] = plainNode([daemonProgram, ...args]);
  const child = spawn('unshare', [...UNSHARE, folder, node, ...nodeArgs], {
    env: { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() },
  });
  let plain = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      plain += text;
    });
  }
  const ended = new Promise<unknown[]>((resolve) => child.once('close', (...how) => resolve(how)));
  const entries = () => messages.map((message) => decoded(Buffer.from(message)));
  const entry = async (text: RegExp) => {
    await until(String(text), () => entries().some(({ MESSAGE = '' }) => text.test(MESSAGE)));
    return entries().find(({ MESSAGE = '' }) => text.test(MESSAGE));
  };
  await entry(/^vkmemd \S+ ready: device /);
  const wire = await HandoffWire.open(runtimeDir);
  const uid = String(process.getuid?.());
  t.match(await entry(/the device was opened/), { VKMEMD_DEVICE: /^[0-9a-f-]{36}$/, PRIORITY: '6' });
  t.match(await entry(/a session began/), {
    VKMEMD_SESSION: '1',
    VKMEMD_TENANT: `uid:${uid}`,
    VKMEMD_UID: uid,
    PRIORITY: '7',
  });
  const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
  const id = message.allocate?.allocation?.id;
  t.match(await entry(/an allocation was created/), { VKMEMD_ALLOCATION: id, VKMEMD_SESSION: '1' });
  wire.close();
  await entry(/a session ended/);
  t.match(await entry(/an allocation was freed/), { VKMEMD_ALLOCATION: id });
  t.equal(plain, '', 'nothing is written elsewhere');
  close();
  child.kill('SIGTERM');
  t.strictSame(await ended, [0, null], 'a missing journal does not end the daemon');
  t.match(plain, /"msg":"stopped"/, 'entries that it did not accept are on standard output');
});
