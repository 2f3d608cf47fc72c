/**
 * Imports of the attacker's own memory, which changes during the import: holes in it, more seals, missing
 * seals, an invalid file.
 */
import { ftruncateSync } from 'node:fs';
import { addSeals, createMemfd, type OwnedFd, SEALS } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { runNative } from '../native.js';
import { refusalOf } from '../stage.js';

const CASES = [
  'good',
  'holes before',
  'holes after',
  'sealed against writing',
  'unsealed',
  'resized',
  'said larger',
];

async function prepared(what: string, bytes: number): Promise<OwnedFd> {
  const fd = await createMemfd('mine', BigInt(bytes), { sealed: false });
  if (what === 'sealed against writing') addSeals(fd, SEALS.WRITE);
  if (what === 'holes before') await runNative(['holes', String(bytes), 'punch'], fd);
  // Shrinking is sealed already, so it is refused in this process.
  if (what === 'resized') {
    try {
      ftruncateSync(fd.fd, 0);
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== 'EPERM') throw failure;
    }
  }
  return fd;
}

export const imports: Behaviour<{ what: string; pages: number; fill: boolean }> = {
  name: 'imports',
  weight: 5,
  needs: ['importer'],
  plan: (random) => ({
    what: random.pick(CASES),
    pages: random.pick([1, 16, 256]),
    fill: random.chance(0.6),
  }),
  async perform(stage, { what, pages, fill }) {
    const bytes = pages * 4096;
    const wire = await stage.greet();
    const fd = stage.keep(await prepared(what, bytes));
    const sizeBytes = BigInt(what === 'said larger' ? bytes * 2 : bytes);
    wire.send({ import: { source: 'KIND_MAPPABLE', sizeBytes } }, [fd.dup()]);
    const { message } = await wire.next();
    const id = message.import?.allocation?.id;
    if (id === undefined) return `${what} refused`;
    const holes = runNative(['holes', String(bytes), 'punch', 'remove'], fd);
    if (what === 'holes after') await holes;
    const control = stage.control(wire.welcome.sessionToken);
    const transfer = { fill: { allocation: { id }, pattern: 0x31313131 } };
    const filled = fill ? await refusalOf(control.call('Transfer', transfer)) : 'not filled';
    await holes;
    await refusalOf(wire.ask({ free: { allocation: { id } } }));
    return `${what} served, ${filled}`;
  },
};
