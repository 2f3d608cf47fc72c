/**
 * Pages taken out of memory that was granted: holes punched into the file, MADV_REMOVE on a mapping of it,
 * and a read-only mapping made writable. A holder who may write may make holes, in its own memory; nobody
 * else's bytes, and nothing of the daemon, may change by it.
 */
import { mapFd } from '@vkmemd/proto';
import { type Behaviour, Breach } from '../behaviour.js';
import { runNative } from '../native.js';
import { allocateOwn } from '../stage.js';

/** Which of them a read-only fd must withstand. */
const CHANGES = ['punch', 'collapse', 'zero', 'insert', 'remove', 'upgrade'];
/** And those that no seal allows. */
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
    // The device writes where the pages were: they come back, as the daemon's.
    if (fill) await stage.control().call('Transfer', { fill: { allocation: { id }, pattern: 0x77777777 } });
    for (const held of fds) held.close();
    await wire.ask({ free: { allocation: { id } } });
    return `${operation} ${readOnly ? 'ro' : 'rw'} ${result}`;
  },
};
