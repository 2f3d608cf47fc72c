/**
 * Requests for other users' property, by every way to name it: ids, names, another user's names, grants;
 * claimed, read, written, freed, on both planes. All must be refused, without an fd.
 */
import { type Behaviour, Breach } from '../behaviour.js';
import { rest } from '../rest.js';
import { type Prey, refusalOf } from '../stage.js';
import { roleOf } from '../tenants.js';

const kinds = ['KIND_MAPPABLE'] as const;

const refs = ({ id, name, uid }: Pick<Prey, 'id' | 'name' | 'uid'>) => ({
  id: { id },
  name: { name: `${uid}/${name}` },
  'a padded name': { name: `${String(uid).padStart(12, '0')}/${name}` },
  'a name with dots': { name: `${uid}/../${uid}/${name}` },
  'a signed name': { name: `+${uid}/${name}` },
  'a hexadecimal name': { name: `0x${uid.toString(16)}/${name}` },
  'an id in capitals': { id: id.toUpperCase() },
});
const REFS = Object.keys(refs({ uid: 0, name: '', id: '' }));
const DEEDS = ['claim', 'read', 'free', 'release', 'get', 'free by gRPC', 'fill', 'copy', 'list', 'guess'];
const RIGHTS = ['publish', 'ticket', 'revoke', 'tickets', 'watch', 'quota', 'quotas', 'set quota', 'reload'];

export const trespass: Behaviour<{ prey: number; ref: string; deed: string }> = {
  name: 'trespass',
  weight: 6,
  needs: ['others'],
  plan: (random) => ({
    prey: random.below(64),
    ref: random.pick(REFS),
    deed: random.pick([...DEEDS, ...RIGHTS]),
  }),
  async perform(stage, params, random) {
    const prey = stage.prey[params.prey % stage.prey.length];
    if (!prey) return 'no victim exists';
    const allocation = refs(prey)[params.ref as keyof ReturnType<typeof refs>];
    const wire = await stage.greet();
    const control = stage.control();
    const { sees } = roleOf(process.getuid?.() ?? -1);
    const deeds: Record<string, () => Promise<string>> = {
      claim: () => refusalOf(wire.ask({ claim: { allocation, kinds } })),
      read: () => refusalOf(wire.ask({ claim: { allocation, kinds, access: 'ACCESS_READ_ONLY' } })),
      free: () => refusalOf(wire.ask({ free: { allocation } })),
      release: () => refusalOf(wire.ask({ release: { grantId: BigInt(prey.grantId) } })),
      get: () => refusalOf(control.call('GetAllocation', { allocation })),
      'free by gRPC': () => refusalOf(control.call('FreeAllocation', { allocation })),
      fill: () => refusalOf(control.call('Transfer', { fill: { allocation, pattern: 0xdead } })),
      copy: async () => {
        const own = { name: `t${random.below(4)}` };
        await refusalOf(control.call('Allocate', { sizeBytes: 4096n, kinds, ...own }));
        const copy = { source: allocation, destination: own, sizeBytes: 4096n };
        const refusal = await refusalOf(control.call('Transfer', { copy }));
        await refusalOf(control.call('FreeAllocation', { allocation: own }));
        return refusal;
      },
      list: async () => {
        const { allocations } = await control.call('ListAllocations', {});
        return allocations.some(({ ownerUid }) => !sees.includes(ownerUid)) ? 'served' : 'its own only';
      },
      publish: () => refusalOf(wire.ask({ publish: { allocation } })),
      ticket: () => refusalOf(control.call('CreateTicket', { allocation })),
      revoke: () => refusalOf(wire.ask({ revokeTicket: { ticketId: prey.ticketId } })),
      tickets: async () => {
        const { tickets } = await control.call('ListTickets', {});
        return tickets.some(({ ownerUid }) => ownerUid === prey.uid) ? 'served' : 'its own only';
      },
      watch: async () => {
        const watching = control.watchAllocations({ includeExisting: true });
        await rest(100);
        const seen = watching.reports.map(({ allocation: one }) => one?.ownerUid ?? -1);
        return seen.some((uid) => !sees.includes(uid)) ? 'served' : 'its own only';
      },
      quota: () => refusalOf(control.call('GetQuota', { uid: prey.uid })),
      quotas: () => refusalOf(control.call('ListQuotas', {})),
      'set quota': () => refusalOf(control.call('SetQuota', { uid: process.getuid?.() ?? 0, reset: true })),
      reload: () => refusalOf(control.call('ReloadPolicy', {})),
      // Grants are numbered: the ids near the victim's belong to others.
      guess: () => {
        const grantId = BigInt(prey.grantId) + BigInt(random.below(200)) - 100n;
        return refusalOf(wire.ask({ release: { grantId: grantId < 0n ? 0n : grantId } }));
      },
    };
    const result = await deeds[params.deed]?.();
    if (result === 'served')
      throw new Breach(`${params.deed} of ${params.ref} of user ${prey.uid} was served`);
    return `${params.deed} ${result}`;
  },
};
