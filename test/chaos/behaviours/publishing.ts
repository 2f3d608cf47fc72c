/**
 * Memory that is published, with the attacker's own seals before, concurrent claims, and then every attempt
 * to change a published byte through grants.
 */
import { openSync, writeSync } from 'node:fs';
import { addSeals, mapFd, OwnedFd, SEALS, VkmemError } from '@vkmemd/proto';
import { type Behaviour, Breach } from '../behaviour.js';
import { allocateOwn, grantedOf, refusalOf } from '../stage.js';

const kinds = ['KIND_MAPPABLE'] as const;
const SEALED: Readonly<Record<string, number>> = {
  none: 0,
  write: SEALS.WRITE,
  'future write': SEALS.FUTURE_WRITE,
  seal: SEALS.SEAL,
};

/** Whether an operation succeeds. @throws errors that come neither from the kernel nor from the daemon. */
function works(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (failure) {
    if (failure instanceof VkmemError || (failure as NodeJS.ErrnoException).code !== undefined) return false;
    throw failure;
  }
}

function overwrite(fd: OwnedFd): void {
  const mapping = mapFd(fd, { offset: 0n, length: 4096, access: 'rw' });
  new Uint8Array(mapping.buffer).fill(0xee);
  mapping.unmap();
}

export const publishing: Behaviour<{ sealed: string; named: boolean; beside: number; attack: string }> = {
  name: 'publishing',
  weight: 5,
  plan: (random) => ({
    sealed: random.pick(['none', 'none', 'none', ...Object.keys(SEALED)]),
    named: random.chance(0.3),
    beside: random.pick([0, 1, 8]),
    attack: random.pick(['map', 'write', 'reopen', 'reopen old', 'claim', 'fill', 'unseal']),
  }),
  async perform(stage, { sealed, named, beside, attack }, random) {
    const wire = await stage.greet();
    const name = named ? { name: `p${random.below(1000)}` } : {};
    const { id, fds } = await allocateOwn(stage, wire, 1, { publishable: true, ...name });
    const [old] = fds;
    if (!old) return 'no fd';
    const bytes = random.bytes(4096);
    const mapping = mapFd(old, { offset: 0n, length: 4096, access: 'rw' });
    new Uint8Array(mapping.buffer).set(bytes);
    mapping.unmap();
    const added = sealed === 'none' || works(() => addSeals(old, SEALED[sealed] ?? 0));
    const claim = { allocation: { id }, kinds };
    for (let i = 0; i < beside; i += 1) wire.send({ claim: { ...claim, access: 'ACCESS_READ_ONLY' } });
    wire.send({ publish: { allocation: { id } } });
    let published = false;
    for (let i = 0; i <= beside; i += 1) {
      const { message, fds: more } = await wire.next();
      for (const fd of more) stage.keep(fd);
      published ||= message.publish !== undefined;
    }
    if (published) {
      const granted = grantedOf(await wire.ask({ claim: { ...claim, access: 'ACCESS_READ_ONLY' } }));
      const [fd] = granted.fds.map((one) => stage.keep(one));
      if (!fd) return 'no fd';
      const reopen = (one: OwnedFd) =>
        overwrite(stage.keep(new OwnedFd(openSync(`/proc/self/fd/${one.fd}`, 'r+'), 'reopened')));
      const worked = {
        map: () => works(() => overwrite(fd)),
        write: () => works(() => void writeSync(old.fd, 'x', 0)),
        reopen: () => works(() => reopen(fd)),
        'reopen old': () => works(() => reopen(old)),
        unseal: () => works(() => addSeals(old, SEALS.WRITE)),
        claim: async () => (await refusalOf(wire.ask({ claim }))) === 'served',
        fill: async () => {
          const fill = { allocation: { id }, pattern: 0xee };
          return (
            (await refusalOf(stage.control(wire.welcome.sessionToken).call('Transfer', { fill }))) ===
            'served'
          );
        },
      }[attack];
      if (await worked?.()) throw new Breach(`${attack} worked on published memory`);
      const seen = mapFd(fd, { offset: 0n, length: 4096, access: 'ro' });
      const same = Buffer.from(seen.buffer).equals(bytes);
      seen.unmap();
      if (!same) throw new Breach(`${attack} changed published memory`);
    } else if (sealed === 'none') {
      throw new Breach('Publish of publishable memory was refused');
    }
    await refusalOf(wire.ask({ free: { allocation: { id } } }));
    return `${sealed}${added ? '' : ' (refused)'}, ${published ? `published, ${attack} refused` : 'not published'}`;
  },
};
