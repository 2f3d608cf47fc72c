/**
 * The requests of the property test of survival: each states what it uses of the model, with which codes it may
 * be refused, what its answer changes, and what is in doubt where it gets none.
 */
import { equal, ok } from 'node:assert/strict';
import { closeAll, type Draft, errorOf, openPidfd } from '@vkmemd/proto';
import type { Received } from './handoff-wire.js';
import type { Client, Held, Kept, ModelTicket, SurvivalModel } from './survival-model.js';
import { POLICIES, type SurvivalWorld, setLimit, write } from './survival-world.js';

/** A request that the model permits now. */
export interface Asked<T = unknown> {
  /** What it uses or changes: requests that are sent at once share nothing. */
  readonly uses: readonly string[];
  /** The code that it must be refused with. */
  readonly refusal?: string | undefined;
  /** Codes that it may be refused with. */
  readonly refusals?: readonly string[];
  /** Whether its record is written before it is answered, with all that waited. */
  readonly written?: boolean;
  send(): Promise<T>;
  served(answer: T): void | Promise<void>;
  /** It was not answered. */
  lost(): void;
}

/** Draws a request from the model; undefined where there is nothing to ask for. */
export interface Request {
  readonly name: string;
  plan(world: SurvivalWorld): Asked | undefined;
}

const asked = <T>(one: Asked<T>): Asked => one as Asked;

/** The element of a list that any number selects. */
const pick = <T>(list: readonly T[], which: number): T | undefined => list[which % list.length];

const ask = (client: Client, body: Draft<'ClientMessage'>): Promise<Received> => {
  if (!client.wire) throw new Error(`session ${client.id} is not connected`);
  return client.wire.ask(body);
};

const LOCKED = ['BUSY'] as const;
const kindsOf = ({ kind }: Pick<Kept, 'kind'>) => [`KIND_${kind}`] as const;
const useOf = ({ number }: { number: number }, what: string): string => `${what} ${number}`;

/** Adds the grant of an answer. */
function hold(
  model: SurvivalModel,
  holder: Client,
  of: Kept,
  { message, fds }: Received,
  access: 'RW' | 'RO',
) {
  const grant = message.allocate?.grants[0] ?? message.claim?.grants[0];
  const [fd] = fds;
  if (!grant || !fd || fds.length > 1) throw new Error('one grant with one fd was expected');
  const held: Held = { id: grant.id, of, access, holder, fd };
  model.held.add(held);
  return held;
}

interface Allocation {
  readonly which: number;
  readonly kind: Kept['kind'];
  readonly sharing: Kept['sharing'];
  readonly name: string;
  readonly requestId: boolean;
  readonly publishable: boolean;
}

export function allocate(wanted: Allocation): Request {
  const plan = (world: SurvivalWorld) => {
    const { model } = world;
    const client = pick(model.connected, wanted.which);
    if (!client) return undefined;
    const number = model.number();
    const publishable = wanted.publishable && wanted.kind === 'MAPPABLE';
    const { name, kind } = wanted;
    const sharing = name === '' ? 'SHARED' : wanted.sharing;
    const of: Kept = {
      number,
      id: '',
      name,
      kind,
      sharing,
      publishable,
      size: model.size(number),
      owner: name === '' ? client : undefined,
      maker: wanted.requestId ? client : undefined,
      requestId: wanted.requestId ? `request ${number}` : '',
      pattern: 0,
      live: true,
      published: false,
      degraded: false,
    };
    const kinds = kindsOf(of);
    const request = {
      sizeBytes: of.size,
      kinds,
      grantKinds: kinds,
      name,
      sharing: `SHARING_${sharing}`,
      publishable,
      requestId: of.requestId,
    } as const;
    const send = () => ask(client, { allocate: request });
    const served = async (answer: Received) => {
      const { id = '', sizeBytes } = answer.message.allocate?.allocation ?? {};
      equal(sizeBytes, of.size, 'the size that was asked for');
      if (of.id !== '') equal(id, of.id, 'a repeated request gets the allocation of the first one');
      else model.kept.push(of);
      of.id = id;
      const { fd } = hold(model, client, of, answer, 'RW');
      if (kind === 'MAPPABLE') {
        of.pattern = 0x01010101 * ((number % 255) + 1);
        write(fd, Number(of.size), of.pattern);
      } else if (sharing === 'SHARED' && !world.dying) {
        const fill = { allocation: { id }, pattern: number + 1 };
        await world.control.call('Transfer', { fill });
        of.pattern = fill.pattern;
      }
    };
    const lost = () => {
      client.doubtful = true;
      model.lost.push(({ allocations }) => {
        const found = allocations.find(
          ({ sizeBytes, state }) => sizeBytes === of.size && state === 'ALLOCATION_STATE_LIVE',
        );
        if (!found) return;
        model.note('took place: allocate');
        equal(found.name, of.name);
        of.id = found.id;
        model.kept.push(of);
      });
      if (of.requestId === '') return;
      model.repeats.push(async () => {
        if (!client.wire) return;
        const outcome = await world.outcomeOf(send());
        if (outcome === 'lost') throw new Error('a repeated request was not answered');
        if ('answer' in outcome) return served(outcome.answer);
        const taken = of.id === '' && model.byName(name) ? 'NAME_TAKEN' : undefined;
        ok(outcome.code === taken || model.failing || model.fdsFailing, `repeated: ${outcome.code}`);
        return undefined;
      });
    };
    const uses = [useOf(client, 'client'), ...(name === '' ? [] : [`name ${name}`])];
    const refusal = model.byName(name) && 'NAME_TAKEN';
    return asked({ uses, refusal, written: true, send, served, lost });
  };
  return { name: `allocate ${JSON.stringify(wanted)}`, plan };
}

export function claim(which: number, target: number, access: 'RW' | 'RO'): Request {
  const plan = ({ model }: SurvivalWorld) => {
    const [client, of] = [pick(model.connected, which), pick(model.live, target)];
    if (!client || !of) return undefined;
    const kinds = kindsOf(of);
    const wire = access === 'RW' ? 'ACCESS_READ_WRITE' : 'ACCESS_READ_ONLY';
    return asked<Received>({
      uses: [useOf(client, 'client'), useOf(of, 'memory')],
      refusal: of.published && access === 'RW' && of.sharing === 'SHARED' ? 'PUBLISHED' : undefined,
      refusals: of.sharing === 'SHARED' ? [] : [...LOCKED, ...(of.published ? ['PUBLISHED'] : [])],
      written: true,
      send: () => ask(client, { claim: { allocation: { id: of.id }, kinds, access: wire } }),
      served: (answer) => void hold(model, client, of, answer, access),
      lost: () => {
        client.doubtful = true;
      },
    });
  };
  return { name: `claim ${which} ${target} ${access}`, plan };
}

export function release(which: number): Request {
  const plan = ({ model }: SurvivalWorld) => {
    const held = pick(
      [...model.held].filter(({ holder }) => holder.wire),
      which,
    );
    if (!held) return undefined;
    const { holder } = held;
    return asked<Received>({
      uses: [useOf(holder, 'client'), useOf(held.of, 'memory')],
      send: () => ask(holder, { release: { grantId: held.id } }),
      served: () => {
        model.drop(held);
        model.ended(holder);
      },
      lost: () => {
        model.drop(held);
        holder.doubtful = true;
      },
    });
  };
  return { name: `release ${which}`, plan };
}

export function free(target: number, which: number | undefined): Request {
  const plan = (world: SurvivalWorld) => {
    const { model } = world;
    const of = pick(
      model.live.filter((each) => each !== world.scratch),
      target,
    );
    const client = which === undefined ? undefined : pick(model.connected, which);
    if (!of || (which !== undefined && !client)) return undefined;
    const allocation = { id: of.id };
    const ended = () => {
      model.free(of);
      for (const held of model.grantsOf(of)) if (held.holder === client) model.drop(held);
    };
    return asked<unknown>({
      uses: [
        useOf(of, 'memory'),
        ...(client ? [useOf(client, 'client')] : []),
        ...(of.name === '' ? [] : [`name ${of.name}`]),
      ],
      send: () =>
        client ? ask(client, { free: { allocation } }) : world.control.call('FreeAllocation', { allocation }),
      written: true,
      served: () => {
        ended();
        model.ended(client);
      },
      lost: () => {
        if (client) client.doubtful = true;
        model.lost.push(({ allocations }) => {
          const found = allocations.find(({ id }) => id === of.id);
          if (found && /LIVE|DEGRADED/.test(found.state)) return;
          model.note('took place: free');
          ended();
        });
      },
    });
  };
  return { name: `free ${target} ${which ?? 'by control'}`, plan };
}

export function publish(which: number, target: number): Request {
  const plan = ({ model }: SurvivalWorld) => {
    const client = pick(model.connected, which);
    const of = pick(
      model.live.filter(({ publishable }) => publishable),
      target,
    );
    if (!client || !of) return undefined;
    return asked<Received>({
      uses: [useOf(client, 'client'), useOf(of, 'memory')],
      refusals: of.sharing === 'SHARED' ? [] : LOCKED,
      send: () => ask(client, { publish: { allocation: { id: of.id } } }),
      served: () => {
        of.published = true;
      },
      lost: () => {
        model.lost.push(({ allocations }) => {
          of.published = allocations.find(({ id }) => id === of.id)?.published ?? false;
        });
      },
    });
  };
  return { name: `publish ${which} ${target}`, plan };
}

export function createTicket(which: number, target: number, uses: number): Request {
  const plan = ({ model }: SurvivalWorld) => {
    const [client, of] = [pick(model.connected, which), pick(model.live, target)];
    if (!client || !of) return undefined;
    const request = { allocation: { id: of.id }, kinds: kindsOf(of), uses, validSeconds: 3600 };
    return asked<Received>({
      uses: [useOf(client, 'client'), useOf(of, 'memory')],
      refusals: of.published && of.kind !== 'MAPPABLE' ? ['PUBLISHED'] : [],
      written: true,
      send: () => ask(client, { createTicket: { ...request, access: 'ACCESS_READ_ONLY' } }),
      served: ({ message }) => {
        const { secret, ticket } = message.createTicket ?? {};
        model.tickets.add({ id: ticket?.id ?? '', secret, of, usesLeft: uses });
      },
      lost: () => {
        model.lost.push(({ tickets }) => {
          const known = new Set(model.ticketsOf(of).map(({ id }) => id));
          const found = tickets.find(({ id, allocationId }) => allocationId === of.id && !known.has(id));
          if (!found) return;
          model.note('took place: createTicket');
          model.tickets.add({ id: found.id, secret: undefined, of, usesLeft: found.usesLeft });
        });
      },
    });
  };
  return { name: `createTicket ${which} ${target} ${uses}`, plan };
}

/** A ticket may have lost a use that no grant came of. */
const mayHaveLostOne =
  (model: SurvivalModel, ticket: ModelTicket) =>
  ({ tickets }: { readonly tickets: readonly { readonly id: string; readonly usesLeft: number }[] }) => {
    if (!model.tickets.has(ticket)) return;
    const usesLeft = tickets.find(({ id }) => id === ticket.id)?.usesLeft ?? 0;
    ok(ticket.usesLeft - usesLeft <= 1 && usesLeft <= ticket.usesLeft, `a ticket with ${usesLeft} uses`);
    ticket.usesLeft = usesLeft;
    if (usesLeft === 0) model.tickets.delete(ticket);
  };

export function redeem(which: number, target: number): Request {
  const plan = ({ model }: SurvivalWorld) => {
    const client = pick(model.connected, which);
    const ticket = pick(
      [...model.tickets].filter(({ secret }) => secret !== undefined),
      target,
    );
    if (!client || !ticket) return undefined;
    const { of, secret = '' } = ticket;
    const doubt = mayHaveLostOne(model, ticket);
    return asked<Received>({
      uses: [useOf(client, 'client'), useOf(of, 'memory')],
      refusals: of.sharing === 'SHARED' ? [] : LOCKED,
      written: true,
      send: async () => {
        try {
          return await ask(client, { claim: { ticket: secret } });
        } catch (failure) {
          model.ended(undefined, doubt);
          throw failure;
        }
      },
      served: (answer) => {
        ticket.usesLeft -= 1;
        if (ticket.usesLeft === 0) model.tickets.delete(ticket);
        hold(model, client, of, answer, 'RO');
      },
      lost: () => {
        client.doubtful = true;
        model.lost.push(doubt);
      },
    });
  };
  return { name: `redeem ${which} ${target}`, plan };
}

export function revoke(which: number, target: number): Request {
  const plan = ({ model }: SurvivalWorld) => {
    const [client, ticket] = [pick(model.connected, which), pick([...model.tickets], target)];
    if (!client || !ticket) return undefined;
    const ended = () => void model.tickets.delete(ticket);
    return asked<Received>({
      uses: [useOf(client, 'client'), useOf(ticket.of, 'memory')],
      written: true,
      send: () => ask(client, { revokeTicket: { ticketId: ticket.id } }),
      served: ended,
      lost: () => {
        model.lost.push(({ tickets }) => {
          if (!tickets.some(({ id }) => id === ticket.id)) ended();
        });
      },
    });
  };
  return { name: `revoke ${which} ${target}`, plan };
}

export function setQuota(limit: number | undefined): Request {
  const plan = (world: SurvivalWorld) => {
    const { model } = world;
    return asked<void>({
      uses: ['quota'],
      // A reset that changes nothing writes nothing.
      written: limit !== undefined || model.limit !== undefined,
      send: () => setLimit(world.control, limit),
      served: () => {
        model.limit = limit;
      },
      lost: () => {
        model.lost.push((seen) => {
          ok(seen.limit === limit || seen.limit === model.limit, `a limit of ${seen.limit}`);
          model.limit = seen.limit;
        });
      },
    });
  };
  return { name: `setQuota ${limit}`, plan };
}

export function reload(policy: number): Request {
  const plan = (world: SurvivalWorld) =>
    asked<unknown>({
      uses: ['policy'],
      refusal: policy === POLICIES - 1 ? 'POLICY_INVALID' : undefined,
      send: () => {
        world.writePolicy(policy);
        return world.control.call('ReloadPolicy', {});
      },
      served: () => {
        world.model.policy = policy;
      },
      lost: () => {},
    });
  return { name: `reload ${policy}`, plan };
}

/** Entrusts all grants of a session. */
export function entrust(which: number): Request {
  const plan = ({ model, holder }: SurvivalWorld) => {
    const client = pick(
      model.connected.filter((each) => model.grantsTo(each).length > 0),
      which,
    );
    if (!client) return undefined;
    const grants = model.grantsTo(client);
    const moved = (id: bigint) => {
      const to = { number: model.number(), id, token: '', wire: undefined, entrusted: true, ended: false };
      const session = { ...to, doubtful: false };
      model.clients.push(session);
      for (const held of grants) held.holder = session;
    };
    return asked<Received>({
      uses: ['entrust', useOf(client, 'client'), ...grants.map(({ of }) => useOf(of, 'memory'))],
      refusals: LOCKED,
      written: true,
      send: async () => {
        client.wire?.send({ entrust: { grantIds: grants.map(({ id }) => id) } }, [openPidfd(holder)]);
        const answer = await (client.wire as NonNullable<typeof client.wire>).next();
        closeAll(answer.fds);
        if (answer.message.error) throw errorOf(answer.message.error);
        return answer;
      },
      served: ({ message }) => moved(message.entrust?.sessionId ?? 0n),
      lost: () => {
        client.doubtful = true;
        model.lost.push(({ sessions }) => {
          const known = new Set(model.clients.map(({ id }) => id));
          const found = sessions.find(
            ({ id, clientName }) => clientName.startsWith('entrusted') && !known.has(id),
          );
          if (!found) return;
          model.note('took place: entrust');
          moved(found.id);
        });
      },
    });
  };
  return { name: `entrust ${which}`, plan };
}

export function endEntrusted(which: number, target: number): Request {
  const plan = (world: SurvivalWorld) => {
    const { model } = world;
    const client = pick(model.connected, which);
    const session = pick(
      model.sessions.filter(({ entrusted }) => entrusted),
      target,
    );
    if (!client || !session) return undefined;
    const { id: sessionId } = session;
    const again = async ({ sessions }: { readonly sessions: readonly { readonly id: bigint }[] }) => {
      if (!sessions.some(({ id }) => id === sessionId)) return;
      const wire = await world.open();
      await wire.ask({ endEntrusted: { sessionId } });
      wire.close();
      model.ended(undefined, again);
    };
    return asked<Received>({
      uses: [
        'entrust',
        useOf(client, 'client'),
        ...model.grantsTo(session).map(({ of }) => useOf(of, 'memory')),
      ],
      send: () => ask(client, { endEntrusted: { sessionId } }),
      served: () => {
        model.end(session);
        model.ended(undefined, again);
      },
      lost: () => {
        model.end(session);
        model.lost.push(again);
      },
    });
  };
  return { name: `endEntrusted ${which} ${target}`, plan };
}

/** Closes a connection, which gets no answer. */
export function close(which: number): Request {
  const plan = (world: SurvivalWorld) => {
    const { model } = world;
    const client = pick(model.connected, which);
    if (!client || model.connected.length === 1) return undefined;
    const again = async ({ sessions }: { readonly sessions: readonly { readonly id: bigint }[] }) => {
      if (!sessions.some(({ id }) => id === client.id)) return;
      model.note('took place not: close');
      await world.endAgain(client);
      model.ended(undefined, again);
    };
    const end = () => {
      client.wire?.close();
      model.end(client);
    };
    return asked<void>({
      uses: [
        useOf(client, 'client'),
        ...model.live.filter(({ owner }) => owner === client).map((each) => useOf(each, 'memory')),
        ...model.grantsTo(client).map(({ of }) => useOf(of, 'memory')),
      ],
      send: async () => end(),
      served: () => {
        if (world.dying) model.lost.push(again);
        else model.ended(undefined, again);
      },
      lost: () => {},
    });
  };
  return { name: `close ${which}`, plan };
}
