/**
 * Memory that is kept by two fds, and a store that hands fds back in another order than they came in, as systemd does: each
 * is taken for what it is. No driver here gives two for one allocation, so the allocation is a stand-in.
 */
import { fstatSync } from 'node:fs';
import { closeAll, createMemfd, type OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import type { FdStore } from 'vkmemd/dist/store/fd-store.js';
import { InheritedFds } from 'vkmemd/dist/store/inherited-fds.js';
import { LedgerFile } from 'vkmemd/dist/store/ledger-file.js';
import { StateWriter } from 'vkmemd/dist/store/state-writer.js';
import { StoredFds } from 'vkmemd/dist/store/stored-fds.js';
import { temporaryFolder } from '../support/daemon.js';

/** The last that came is the first that is handed back. */
class Backwards implements FdStore {
  readonly capacity = 16;
  readonly handed = new Map<string, OwnedFd[]>();

  get kept(): number {
    return [...this.handed.values()].flat().length;
  }

  async put(name: string, fds: readonly OwnedFd[]): Promise<void> {
    for (const fd of fds) this.handed.set(name, [fd.dup('kept'), ...(this.handed.get(name) ?? [])]);
  }

  async remove(name: string): Promise<void> {
    closeAll(this.handed.get(name) ?? []);
    this.handed.delete(name);
  }

  async settled(): Promise<void> {}
  close(): void {}
}

const inode = ({ fd }: OwnedFd): bigint => fstatSync(fd, { bigint: true }).ino;

t.test('two fds of one allocation', async (t) => {
  const ledger = LedgerFile.open(temporaryFolder(t));
  const store = new Backwards();
  const uuid = Buffer.alloc(16, 7);
  const fault = (what: string) => t.fail(what);
  const stored = new StoredFds(store, 100, fault);
  const keeping = new StateWriter(ledger, { deviceUuid: uuid, driverUuid: uuid }, stored);
  const fds = new Map<number, OwnedFd>();
  for (const type of [1, 0x200]) fds.set(type, await createMemfd(`type ${type}`, 4096n));
  const expected = [...fds].map(([type, fd]) => [type, inode(fd)]);
  const keep = async () => new Map([...fds].map(([type, fd]) => [type, fd.dup('handle')]));
  const allocation = {
    id: 'two',
    createdAt: 1,
    state: 'LIVE',
    charge: { state: 'committed' },
    memory: { plan: {}, imported: false, keep },
    terms: { name: 'two', ownerUid: 0 },
  };
  await keeping.made(allocation as never);
  t.equal(store.kept, 2);
  const [record] = ledger.allocations.all;
  const names = record?.fds.map(({ name }) => name) ?? [];
  t.ok(
    names.every((name) => name.length === 2),
    `names are short: ${names}`,
  );
  const again = new InheritedFds(new Map(store.handed)).takeEach(record?.fds ?? []);
  const found = [...(again ?? [])].map(([type, fd]) => [type, inode(fd)]);
  t.strictSame(found, expected);
  await keeping.gone({ id: 'two' });
  t.equal(store.kept, 0, 'both are let go');
  closeAll(fds.values());
  await ledger.close();
});
