/**
 * The ledger file: what was written is read at the next start, and a file that cannot be read prevents a
 * start.
 */
import { spawnSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { LedgerFile } from 'vkmemd/dist/store/ledger-file.js';
import { plainEnvironment, plainNode, temporaryFolder } from '../support/daemon.js';

const head = { version: 3, restarts: 3 };
const session = {
  id: 7n,
  tenant: 'uid:1',
  identity: { uid: 1, gid: 2, pid: 3, groups: [4], unit: undefined },
  tokenHash: 'hash',
  clientName: 'test',
  watched: true,
  departed: false,
};

t.test('records are read again', async (t) => {
  const folder = join(temporaryFolder(t), 'state');
  const first = LedgerFile.open(folder);
  t.equal(statSync(folder).mode & 0o777, 0o700, 'open to this user only');
  t.equal(first.head, undefined);
  first.head = head;
  first.sessions.put(7n, session);
  first.sessions.put(8n, { ...session, id: 8n });
  first.sessions.remove(8n);
  first.sessions.remove(9n);
  await first.close();
  const second = LedgerFile.open(folder);
  t.strictSame(second.head, head);
  t.strictSame(second.sessions.all, [session]);
  t.strictSame(second.sessions.get(7n), session);
  t.throws(() =>
    second.eventually(() => {
      second.sessions.remove(7n);
      throw new Error('in the middle');
    }),
  );
  t.strictSame(second.sessions.all, [session], 'a transaction is complete or absent');
  await second.close();
});

t.test('records written before a kill are complete', async (t) => {
  const folder = temporaryFolder(t);
  const program = fileURLToPath(new URL('programs/killed-writer.js', import.meta.url));
  const { signal } = spawnSync(...plainNode([program, folder]), { env: plainEnvironment() });
  t.equal(signal, 'SIGKILL');
  const ledger = LedgerFile.open(folder);
  t.equal(ledger.sessions.all.length, 1000);
  await ledger.close();
});

t.test('a ledger that cannot be read is an error', async (t) => {
  const folder = temporaryFolder(t);
  const ledger = LedgerFile.open(folder);
  ledger.head = { ...head, version: 1 };
  await ledger.close();
  t.throws(() => LedgerFile.open(folder), { code: 'LEDGER_UNREADABLE', message: /incompatible version/ });
  const broken = temporaryFolder(t);
  writeFileSync(join(broken, 'ledger.mdb'), Buffer.alloc(65_536, 0x5a));
  t.throws(() => LedgerFile.open(broken), { code: 'LEDGER_UNREADABLE' });
});
