/**
 * Tickets that the attacker may not use: a victim's that names the victim, a revoked one, guesses, and
 * invalid text.
 */
import { type Behaviour, Breach } from '../behaviour.js';
import type { Random } from '../random.js';
import { type Prey, refusalOf } from '../stage.js';

const FORGERIES: Readonly<Record<string, (prey: Prey, random: Random) => string>> = {
  stolen: ({ ticket }) => ticket,
  revoked: ({ revoked }) => revoked,
  'its id': ({ ticketId }) => ticketId,
  'cut short': ({ ticket }) => ticket.slice(0, -1),
  'one more': ({ ticket }) => `${ticket}A`,
  'in capitals': ({ ticket }) => ticket.toUpperCase(),
  padded: ({ ticket }) => `${ticket}=`,
  guessed: (_, random) => random.bytes(16).toString('base64url'),
  long: (_, random) => random.bytes(4000).toString('hex'),
  'no ticket': () => '',
};

export const forgedTickets: Behaviour<{ prey: number; forgery: string; claims: number; named: boolean }> = {
  name: 'forged-tickets',
  weight: 4,
  needs: ['others'],
  plan: (random) => ({
    prey: random.below(64),
    forgery: random.pick(Object.keys(FORGERIES)),
    claims: random.pick([1, 1, 30]),
    named: random.chance(0.3),
  }),
  async perform(stage, { prey, forgery, claims, named }, random) {
    const victim = stage.prey[prey % stage.prey.length];
    if (!victim) return 'no victim exists';
    const wire = await stage.greet();
    const kinds = ['KIND_MAPPABLE'] as const;
    let result = '';
    for (let i = 0; i < claims; i += 1) {
      const ticket = FORGERIES[forgery]?.(victim, random) ?? '';
      const claim = { ticket, kinds, ...(named && { allocation: { id: victim.id } }) };
      result = await refusalOf(wire.ask({ claim }));
      if (result === 'served') throw new Breach(`a ticket that was ${forgery} was accepted`);
    }
    return `${forgery} ${result}`;
  },
};
