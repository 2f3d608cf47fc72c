/**
 * The attacker's own tickets, used against their terms: more often than permitted, concurrently; after they
 * were revoked; for more access; by another user than they name; after the memory was freed.
 */
import type { Draft } from '@vkmemd/proto';
import { type Behaviour, Breach } from '../behaviour.js';
import { rest } from '../rest.js';
import { allocateOwn, type Greeted, refusalOf, type Stage } from '../stage.js';

const CASES = ['race', 'race', 'revoked', 'access', 'another user', 'freed', 'kind', 'expired'];

export const tickets: Behaviour<{ what: string; uses: number; rivals: number; readOnly: boolean }> = {
  name: 'tickets',
  weight: 4,
  plan: (random) => ({
    what: random.pick(CASES),
    uses: random.between(1, 3),
    rivals: random.between(2, 6),
    readOnly: random.chance(0.5),
  }),
  async perform(stage, { what, uses, rivals, readOnly }) {
    const wire = await stage.greet();
    const { id, fds } = await allocateOwn(stage, wire, 1);
    for (const fd of fds) fd.close();
    const access = readOnly || what === 'access' ? 'ACCESS_READ_ONLY' : 'ACCESS_READ_WRITE';
    const terms: Draft<'CreateTicketRequest'> = {
      allocation: { id },
      access,
      uses,
      ...(what === 'another user' && { forUid: 0 }),
      ...(what === 'expired' && { validSeconds: 1 }),
    };
    const made = (await wire.ask({ createTicket: terms })).message.createTicket;
    const ticket = made?.secret ?? '';
    if (what === 'race') return race(stage, ticket, uses, rivals);
    if (what === 'revoked') await wire.ask({ revokeTicket: { ticketId: made?.ticket?.id ?? '' } });
    if (what === 'freed') await wire.ask({ free: { allocation: { id } } });
    if (what === 'expired') await rest(1100);
    const claim: Draft<'ClaimRequest'> = {
      ticket,
      ...(what === 'access' && { access: 'ACCESS_READ_WRITE' }),
      ...(what === 'kind' && { kinds: ['KIND_OPAQUE_FD'] }),
    };
    const result = await refusalOf(wire.ask({ claim }));
    const good = what === 'another user' && process.getuid?.() === 0;
    if (result === 'served' && !good) throw new Breach(`a ticket was accepted: ${what}`);
    return `${what} ${result}`;
  },
};

/** One concurrent claim for each rival, each on a connection of its own. */
async function race(stage: Stage, ticket: string, uses: number, rivals: number): Promise<string> {
  const wires: Greeted[] = await Promise.all(Array.from({ length: rivals }, () => stage.greet()));
  const results = await Promise.all(wires.map((rival) => refusalOf(rival.ask({ claim: { ticket } }))));
  const served = results.filter((result) => result === 'served').length;
  if (served > uses) throw new Breach(`${served} claims were served by a ticket for ${uses}`);
  return `race ${served === 0 ? 'lost by all' : 'won'}`;
}
