/**
 * Memory that is stored as two fds, in a store that returns its fds in another order than they were stored,
 * as systemd does: each fd is identified correctly. No driver here has two fds for one allocation, so the
 * allocation is a fake.
 */
import { fstatSync } from 'node:fs';
import { closeAll, createMemfd, type OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { tenantOfUid as tenant } from 'vkmemd/dist/policy/tenant.js';
import type { FdStore } from 'vkmemd/dist/store/fd-store.js';
import { InheritedFds } from 'vkmemd/dist/store/inherited-fds.js';
import { LedgerFile } from 'vkmemd/dist/store/ledger-file.js';
import { StateWriter } from 'vkmemd/dist/store/state-writer.js';
import { StoredFds } from 'vkmemd/dist/store/stored-fds.js';
import { temporaryFolder } from '../support/daemon.js';

/** Returns the fds in reverse order. */
class Backwards implements FdStore {
  readonly capacity = 16;
  readonly fds = new Map<string, OwnedFd[]>();

  get stored(): number {
    return [...this.fds.values()].flat().length;
  }

  async put(name: string, fds: readonly OwnedFd[]): Promise<void> {
    for (const fd of fds) this.fds.set(name, [fd.dup('stored'), ...(this.fds.get(name) ?? [])]);
  }

  async remove(name: string): Promise<void> {
    closeAll(this.fds.get(name) ?? []);
    this.fds.delete(name);
  }

  async settled(): Promise<void> {}
  close(): void {}
}

const inode = ({ fd }: OwnedFd): bigint => fstatSync(fd, { bigint: true }).ino;

t.test('two fds of one allocation are restored in any order', async (t) => {
  const ledger = LedgerFile.open(temporaryFolder(t));
  const store = new Backwards();
  const uuid = Buffer.alloc(16, 7);
  const fault = (what: string) => t.fail(what);
  const stored = new StoredFds(store, 100, fault);
  const writer = new StateWriter(ledger, { deviceUuid: uuid, driverUuid: uuid }, stored);
  const fds = new Map<number, OwnedFd>();
  for (const type of [1, 0x200]) fds.set(type, await createMemfd(`type ${type}`, 4096n));
  const expected = [...fds].map(([type, fd]) => [type, inode(fd)]);
  const persistentHandles = async () => new Map([...fds].map(([type, fd]) => [type, fd.dup('handle')]));
  const allocation = {
    id: 'two',
    createdAt: 1,
    state: 'LIVE',
    charge: { state: 'committed' },
    memory: { plan: {}, imported: false, persistentHandles },
    terms: { name: 'two', tenant: tenant(0) },
  };
  await writer.made(allocation as never);
  t.equal(store.stored, 2);
  const record = ledger.allocations.get('two');
  const names = record?.fds.map(({ name }) => name) ?? [];
  t.ok(
    names.every((name) => name.length === 2),
    `names are short: ${names}`,
  );
  const inherited = new InheritedFds(new Map(store.fds)).removeEach(record?.fds ?? []);
  const found = [...(inherited ?? [])].map(([type, fd]) => [type, inode(fd)]);
  t.strictSame(found, expected);
  await writer.gone({ id: 'two' });
  t.equal(store.stored, 0, 'both are released');
  closeAll(fds.values());
  await ledger.close();
});
