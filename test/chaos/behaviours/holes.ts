/**
 * Pages removed from granted memory: holes punched into the file, MADV_REMOVE on a mapping of it, and a
 * read-only mapping made writable. A holder that may write may punch holes into its own memory; other
 * clients' bytes, and the daemon, must not be affected.
 */
import { mapFd } from '@vkmemd/proto';
import { type Behaviour, Breach } from '../behaviour.js';
import { runNative } from '../native.js';
import { allocateOwn } from '../stage.js';

/** The operations that a read-only fd must refuse. */
const CHANGES = ['punch', 'collapse', 'zero', 'insert', 'remove', 'upgrade'];
/** The operations that the seals refuse. */
const RESIZES = ['collapse', 'insert'];

export const holes: Behaviour<{ operation: string; readOnly: boolean; pages: number; fill: boolean }> = {
  name: 'holes',
  weight: 3,
  plan: (random) => ({
    operation: random.pick(['punch', 'punch', 'collapse', 'insert', 'zero', 'remove', 'dontneed', 'upgrade']),
    readOnly: random.chance(0.3),
    pages: random.pick([1, 16, 256]),
    fill: random.chance(0.5),
  }),
  async perform(stage, { operation, readOnly, pages, fill }) {
    const wire = await stage.greet();
    const access = readOnly ? 'ACCESS_READ_ONLY' : 'ACCESS_READ_WRITE';
    const { fds, id, size } = await allocateOwn(stage, wire, pages, { access });
    const [fd] = fds;
    if (!fd) return 'no fd';
    if (!readOnly) {
      const mapping = mapFd(fd, { offset: 0n, length: size, access: 'rw' });
      new Uint8Array(mapping.buffer).fill(0x5a);
      mapping.unmap();
    }
    const [result = ''] = await runNative(['holes', String(size), operation], fd);
    const refused = result !== 'worked';
    if (!refused && readOnly && CHANGES.includes(operation)) {
      throw new Breach(`${operation} worked on read-only memory`);
    }
    if (!refused && RESIZES.includes(operation)) throw new Breach(`${operation} worked on sealed memory`);
    // The device writes where the pages were: they are allocated again, charged to the daemon.
    if (fill) await stage.control().call('Transfer', { fill: { allocation: { id }, pattern: 0x77777777 } });
    for (const held of fds) held.close();
    await wire.ask({ free: { allocation: { id } } });
    return `${operation} ${readOnly ? 'ro' : 'rw'} ${result}`;
  },
};
