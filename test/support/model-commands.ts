/**
 * The operations of the random sequences: each states what the model expects, performs it on the daemon, and
 * compares.
 */
import { equal } from 'node:assert/strict';
import type fastCheck from 'fast-check';
import { codeOf, type Model, type ModelAllocation, type Real, SIZE } from './model.js';
import { fc } from './properties.js';

export type Command = fastCheck.AsyncCommand<Model, Real>;

/**
 * Compares the counts after every operation, so that a sequence fails at the first operation that is wrong.
 */
abstract class Operation implements Command {
  check(model: Readonly<Model>): boolean {
    return model.sessions.size > 0;
  }

  async run(model: Model, real: Real): Promise<void> {
    await this.perform(model, real);
    await real.requireCounts(model.counts());
    model.performed.push(this.constructor.name);
  }

  abstract perform(model: Model, real: Real): Promise<void>;

  toString(): string {
    return `${this.constructor.name}${JSON.stringify(this)}`;
  }
}

/** The element of a list that any number selects; undefined where the list is empty. */
const pick = <T>(list: Iterable<T>, which: number): T | undefined => {
  const all = [...list];
  return all[which % all.length];
};

class OpenSession extends Operation {
  override check(model: Readonly<Model>): boolean {
    return model.sessions.size < 4;
  }

  async perform(model: Model, real: Real): Promise<void> {
    const key = model.nextSession++;
    await real.openSession(key);
    model.sessions.add(key);
  }
}

class CloseSession extends Operation {
  constructor(readonly which: number) {
    super();
  }

  async perform(model: Model, real: Real): Promise<void> {
    const session = pick(model.sessions, this.which) as number;
    for (const allocation of model.allocations) {
      for (const [grant, holder] of allocation.grants) {
        if (holder !== session) continue;
        real.remove(grant);
        allocation.grants.delete(grant);
      }
      if (allocation.owner === session) allocation.live = false;
    }
    real.wire(session).close();
    real.wires.delete(session);
    model.sessions.delete(session);
  }
}

class Allocate extends Operation {
  constructor(
    readonly which: number,
    readonly kind: 'MAPPABLE' | 'OPAQUE_FD',
    readonly name: string | undefined,
  ) {
    super();
  }

  async perform(model: Model, real: Real): Promise<void> {
    const session = pick(model.sessions, this.which) as number;
    const kinds = [`KIND_${this.kind}`] as const;
    const request = { sizeBytes: BigInt(SIZE), kinds, grantKinds: kinds, name: this.name ?? '' };
    const answer = real.wire(session).ask({ allocate: request });
    if (this.name && model.byName(this.name)) {
      equal(await codeOf(answer), 'NAME_TAKEN');
      return;
    }
    const { message, fds } = await answer;
    const key = model.allocations.length;
    const grant = model.nextGrant++;
    real.ids.set(key, message.allocate?.allocation?.id ?? '');
    real.add(grant, message.allocate?.grants[0], fds);
    const owner = this.name ? undefined : session;
    const { kind, name } = this;
    model.allocations.push({
      key,
      kind,
      owner,
      name,
      pattern: 0,
      live: true,
      grants: new Map([[grant, session]]),
    });
  }
}

class Claim extends Operation {
  constructor(
    readonly which: number,
    readonly target: number,
    readonly kind: 'MAPPABLE' | 'OPAQUE_FD',
  ) {
    super();
  }

  override check(model: Readonly<Model>): boolean {
    return super.check(model) && model.allocations.length > 0;
  }

  async perform(model: Model, real: Real): Promise<void> {
    const session = pick(model.sessions, this.which) as number;
    const target = pick(model.allocations, this.target) as ModelAllocation;
    const allocation = { id: real.ids.get(target.key) ?? '' };
    const answer = real.wire(session).ask({ claim: { allocation, kinds: [`KIND_${this.kind}`] } });
    if (!target.live) {
      equal(await codeOf(answer), 'NOT_FOUND');
    } else if (target.kind !== this.kind) {
      equal(await codeOf(answer), 'KIND_NOT_REQUESTED');
    } else {
      const { message, fds } = await answer;
      const grant = model.nextGrant++;
      real.add(grant, message.claim?.grants[0], fds);
      target.grants.set(grant, session);
      if (this.kind === 'MAPPABLE')
        equal(real.read(grant), target.pattern, 'the bytes that the claimer reads');
    }
  }
}

class Release extends Operation {
  constructor(readonly which: number) {
    super();
  }

  override check(model: Readonly<Model>): boolean {
    return model.allocations.some(({ grants }) => grants.size > 0);
  }

  async perform(model: Model, real: Real): Promise<void> {
    const held = model.allocations.flatMap((allocation) =>
      [...allocation.grants].map(([grant, session]) => ({ allocation, grant, session })),
    );
    const { allocation, grant, session } = pick(held, this.which) as (typeof held)[number];
    const grantId = real.remove(grant);
    allocation.grants.delete(grant);
    await real.wire(session).ask({ release: { grantId } });
    equal(await codeOf(real.wire(session).ask({ release: { grantId } })), 'NOT_FOUND', 'the second release');
  }
}

class Free extends Operation {
  constructor(readonly target: number) {
    super();
  }

  override check(model: Readonly<Model>): boolean {
    return model.allocations.length > 0;
  }

  async perform(model: Model, real: Real): Promise<void> {
    const target = pick(model.allocations, this.target) as ModelAllocation;
    const answer = real.control.call('FreeAllocation', {
      allocation: { id: real.ids.get(target.key) ?? '' },
    });
    if (!target.live) {
      equal(await codeOf(answer), 'NOT_FOUND');
      return;
    }
    equal((await answer).freed, target.grants.size === 0);
    target.live = false;
  }
}

class Fill extends Operation {
  constructor(
    readonly target: number,
    readonly pattern: number,
  ) {
    super();
  }

  override check(model: Readonly<Model>): boolean {
    return model.allocations.length > 0;
  }

  async perform(model: Model, real: Real): Promise<void> {
    const target = pick(model.allocations, this.target) as ModelAllocation;
    const allocation = { id: real.ids.get(target.key) ?? '' };
    const answer = real.control.call('Transfer', { fill: { allocation, pattern: this.pattern } });
    equal(await codeOf(answer), target.live ? undefined : 'NOT_FOUND');
    if (target.live) target.pattern = this.pattern;
  }
}

class Copy extends Operation {
  constructor(
    readonly from: number,
    readonly to: number,
  ) {
    super();
  }

  override check(model: Readonly<Model>): boolean {
    return model.allocations.length > 0;
  }

  async perform(model: Model, real: Real): Promise<void> {
    const from = pick(model.allocations, this.from) as ModelAllocation;
    const to = pick(model.allocations, this.to) as ModelAllocation;
    const ref = ({ key }: ModelAllocation) => ({ id: real.ids.get(key) ?? '' });
    const code = await codeOf(
      real.control.call('Transfer', { copy: { source: ref(from), destination: ref(to) } }),
    );
    if (!from.live || !to.live) equal(code, 'NOT_FOUND');
    else if (from === to) equal(code, 'INVALID_RANGE');
    else equal(code, undefined);
    if (code === undefined) to.pattern = from.pattern;
  }
}

const which = fc.nat(1000);
const kind = fc.constantFrom('MAPPABLE' as const, 'OPAQUE_FD' as const);
const name = fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined });

/** All operations. Those on sessions and allocations occur more often, because the others need them. */
export const commands: fastCheck.Arbitrary<Command>[] = [
  fc.constant(null).map(() => new OpenSession()),
  fc.tuple(which, kind, name).map(([w, k, n]) => new Allocate(w, k, n)),
  fc.tuple(which, kind, name).map(([w, k, n]) => new Allocate(w, k, n)),
  fc.tuple(which, which, kind).map(([w, target, k]) => new Claim(w, target, k)),
  fc.tuple(which, fc.nat(2 ** 32 - 1)).map(([target, pattern]) => new Fill(target, pattern)),
  fc.tuple(which, which).map(([from, to]) => new Copy(from, to)),
  which.map((w) => new Release(w)),
  which.map((target) => new Free(target)),
  which.map((w) => new CloseSession(w)),
];
