/**
 * NAMED memory that one user lets another read: claimed by users with and without permission, to read and to
 * write, by name, and freed by its owner meanwhile. Only its owner may write, and a reader may do nothing
 * else.
 */
import { openSync } from 'node:fs';
import { OwnedFd } from '@vkmemd/proto';
import { type Behaviour, Breach } from '../behaviour.js';
import { grantedOf, refusalOf } from '../stage.js';
import { GIFT, roleOf } from '../tenants.js';

const kinds = ['KIND_MAPPABLE'] as const;
const DEEDS = ['read', 'write', 'free', 'publish', 'ticket', 'fill'];

export const gifts: Behaviour<{ deed: string; renew: boolean }> = {
  name: 'gifts',
  weight: 4,
  needs: ['others'],
  plan: (random) => ({ deed: random.pick(DEEDS), renew: random.chance(0.3) }),
  async perform(stage, { deed, renew }) {
    const role = roleOf(process.getuid?.() ?? -1);
    const wire = await stage.greet();
    if (role.uid === GIFT.owner) {
      const allocation = { name: GIFT.name };
      if (renew) await refusalOf(wire.ask({ free: { allocation } }));
      const draft = { sizeBytes: 8192n, kinds, name: GIFT.name };
      return `given: ${await refusalOf(wire.ask({ allocate: draft }))}`;
    }
    const allocation = { name: `${GIFT.owner}/${GIFT.name}` };
    if (deed === 'read' && role.reads.includes(GIFT.owner)) {
      const claim = { allocation, kinds, access: 'ACCESS_READ_ONLY' as const };
      const { fds, grants } = grantedOf(await wire.ask({ claim }));
      for (const fd of fds) stage.keep(fd);
      if (grants.some(({ readOnly }) => readOnly !== 'READ_ONLY_STRENGTH_ENFORCED')) {
        throw new Breach("another user's read-only grant is not ENFORCED");
      }
      try {
        stage.keep(new OwnedFd(openSync(`/proc/self/fd/${fds[0]?.fd}`, 'r+'), 'reopened'));
      } catch (failure) {
        return `read, reopened: ${(failure as NodeJS.ErrnoException).code}`;
      }
      throw new Breach("another user's read-only memory was opened for writing");
    }
    const control = stage.control();
    const deeds: Record<string, () => Promise<object>> = {
      read: () => wire.ask({ claim: { allocation, kinds, access: 'ACCESS_READ_ONLY' } }),
      write: () => wire.ask({ claim: { allocation, kinds, access: 'ACCESS_READ_WRITE' } }),
      free: () => wire.ask({ free: { allocation } }),
      publish: () => control.call('Publish', { allocation }),
      ticket: () => control.call('CreateTicket', { allocation, access: 'ACCESS_READ_WRITE' }),
      fill: () => control.call('Transfer', { fill: { allocation, pattern: 1 } }),
    };
    const result = await refusalOf(deeds[deed]?.() ?? Promise.resolve({}));
    if (result === 'served') throw new Breach(`${deed} of user ${GIFT.owner}'s memory was served`);
    return `${deed} ${result}`;
  },
};
