/**
 * Random sequences of operations on the lock of one allocation: never two writers, never a reader beside an
 * exclusive writer, no grant out of order, no waiting request forgotten. Each answer, and the order of all
 * answers, is that of a plain model.
 */
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { AccessLock, type Holder, type LockRef, type Wait } from 'vkmemd/dist/memory/grant/access-lock.js';
import { fc } from '../support/properties.js';
import { LockModel } from './access-lock-model.js';

const holder = (id: number): Holder => ({ id: BigInt(id) });
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** One request for the lock. */
interface Asked {
  readonly who: number;
  readonly access: 'rw' | 'ro';
  hold: LockRef | undefined;
  state: 'waits' | 'has' | 'over';
}

const operation = fc.oneof(
  fc.record({
    kind: fc.constant('ask' as const),
    who: fc.nat(4),
    access: fc.constantFrom('rw' as const, 'ro' as const),
  }),
  fc.record({ kind: fc.constant('drop' as const), which: fc.nat(30) }),
  fc.record({ kind: fc.constant('refuse' as const), which: fc.nat(30) }),
  fc.record({ kind: fc.constant('again' as const), which: fc.nat(30) }),
);

for (const mode of ['ONE_WRITER', 'EXCLUSIVE'] as const) {
  t.test(`${mode}: the lock's invariants hold after any sequence of operations`, async (t) => {
    const property = fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
      const lock = new AccessLock(mode);
      const people = Array.from({ length: 5 }, (_, id) => holder(id + 1));
      const all: (Asked & { refuse?: Wait['refuse'] })[] = [];
      const those = (state: Asked['state']) => all.filter((asked) => asked.state === state);
      let broken = '';
      const check = () => {
        if (broken !== '') throw new Error(broken);
        const has = those('has');
        const writers = new Set(has.filter(({ access }) => access === 'rw').map(({ who }) => who));
        const holders = new Set(has.map(({ who }) => who));
        if (writers.size > 1) throw new Error('two write');
        if (mode === 'EXCLUSIVE' && writers.size === 1 && holders.size > 1)
          throw new Error('readers and a writer at once');
        const [writer] = writers;
        if (lock.writer !== (writer === undefined ? undefined : people[writer])) throw new Error('writer');
        if (lock.holders !== holders.size) throw new Error(`${lock.holders} of ${holders.size} holders`);
        const waits = those('waits');
        if (lock.waiting !== waits.length) throw new Error('waiting');
        if (waits.length > 0 && holders.size === 0) throw new Error('requests wait while there is no holder');
        const [first] = waits;
        if (mode === 'ONE_WRITER' && first && writer === undefined)
          throw new Error('the first request waits while there is no writer');
      };
      const ask = (who: number, access: 'rw' | 'ro') => {
        const person = people[who] as Holder;
        const waitedBefore = those('waits').filter((other) => other.who !== who);
        const hadOne = those('has').some((other) => other.who === who);
        const hold = lock.tryAcquire(person, access);
        const asked: Asked & { refuse?: Wait['refuse'] } = {
          who,
          access,
          hold,
          state: hold ? 'has' : 'waits',
        };
        all.push(asked);
        if (hold) {
          const queues = mode === 'EXCLUSIVE' || access === 'rw';
          if (queues && waitedBefore.length > 0 && !hadOne)
            throw new Error('granted before requests that waited longer');
          return;
        }
        const wait = lock.wait(person, access);
        asked.refuse = wait.refuse;
        wait.lock.then(
          (given) => {
            asked.hold = given;
            asked.state = 'has';
            const earlier = all.slice(0, all.indexOf(asked)).filter((other) => other.state === 'waits');
            const passed = earlier.filter((other) => other.who !== asked.who);
            const has = (each: number) => those('has').some((other) => other !== asked && other.who === each);
            // Only a session that already holds the lock may pass requests that waited longer.
            if (passed.length > 0 && !has(asked.who)) broken = 'out of order';
          },
          () => {
            asked.state = 'over';
          },
        );
      };
      for (const step of operations) {
        if (step.kind === 'ask') ask(step.who, step.access);
        const has = those('has');
        const waits = those('waits');
        if (step.kind === 'drop' && has.length > 0) {
          const asked = has[step.which % has.length] as Asked;
          asked.state = 'over';
          asked.hold?.release();
        }
        if (step.kind === 'again' && has.length > 0) {
          const { who, access, hold } = has[step.which % has.length] as Asked;
          all.push({ who, access, hold: hold?.retain(), state: 'has' });
        }
        if (step.kind === 'refuse' && waits.length > 0) {
          all[all.indexOf(waits[step.which % waits.length] as Asked)]?.refuse?.(new VkmemError('BUSY'));
        }
        await settled();
        check();
      }
      // No request is forgotten: when all holders release the lock, each waiting request gets it once.
      for (let left = those('has'); left.length > 0; left = those('has')) {
        for (const asked of left) {
          asked.state = 'over';
          asked.hold?.release();
          // One at a time, so that the order of the grants that follow can be checked.
          await settled();
          check();
        }
      }
      if (lock.waiting + lock.holders > 0) throw new Error('a request was forgotten');
    });
    await t.resolves(fc.assert(property, { numRuns: 400 }));
  });
}

const step = fc.oneof(
  operation,
  fc.record({ kind: fc.constant('inherit' as const), which: fc.nat(30), who: fc.nat(2) }),
  fc.record({ kind: fc.constant('refuse writers' as const) }),
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Performs operations on a lock. @returns what happened, in order. */
async function history(lock: Pick<AccessLock, keyof LockModel>, steps: readonly Step[]): Promise<string[]> {
  const happened: string[] = [];
  const people = Array.from({ length: 3 }, (_, id) => holder(id + 1));
  const held: { readonly who: Holder; readonly access: 'rw' | 'ro'; readonly ref: LockRef }[] = [];
  const waits: Wait[] = [];
  const ended = new VkmemError('BUSY', 'ended');
  let asked = 0;
  const ask = (who: Holder, access: 'rw' | 'ro') => {
    asked += 1;
    const name = `${asked}: ${who.id} ${access}`;
    const ref = lock.tryAcquire(who, access);
    if (ref) held.push({ who, access, ref });
    happened.push(`${name} ${ref ? 'has it' : 'waits'}`);
    if (ref) return;
    const wait = lock.wait(who, access);
    waits.push(wait);
    wait.lock.then(
      (given) => {
        held.push({ who, access, ref: given });
        happened.push(`${name} got it`);
      },
      (fault) => void happened.push(`${name} ${String(fault)}`),
    );
  };
  const inherit = (from: (typeof held)[number], who: Holder) => {
    held.push({ who, access: from.access, ref: lock.inherit(from.who, who, from.access) });
    for (const each of held.filter((other) => other.who === from.who && other.who !== who)) {
      each.ref.release();
      held.splice(held.indexOf(each), 1);
    }
  };
  for (const one of steps) {
    const which = 'which' in one ? one.which : 0;
    const of = held[which % Math.max(held.length, 1)];
    if (one.kind === 'ask') ask(people[one.who % 3] as Holder, one.access);
    else if (one.kind === 'refuse') waits[which % Math.max(waits.length, 1)]?.refuse(ended);
    else if (one.kind === 'refuse writers') lock.refuseWriters(ended);
    else if (of && one.kind === 'drop') {
      held.splice(held.indexOf(of), 1);
      of.ref.release();
    } else if (of && one.kind === 'again') held.push({ ...of, ref: of.ref.retain() });
    else if (of && one.kind === 'inherit') inherit(of, people[one.who % 3] as Holder);
    await settled();
    happened.push(`${one.kind}: ${lock.writer?.id} writes, ${lock.holders} hold, ${lock.waiting} wait`);
  }
  lock.end(() => ended);
  await settled();
  for (const { ref } of held) ref.release();
  return [...happened, `${lock.writer?.id} ${lock.holders} ${lock.waiting}`];
}

for (const mode of ['ONE_WRITER', 'EXCLUSIVE'] as const) {
  t.test(`${mode}: the lock answers as the model does`, async (t) => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const [found, expected] = await Promise.all([
        history(new AccessLock(mode), steps),
        history(new LockModel(mode), steps),
      ]);
      if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error('not as the model');
    });
    await t.resolves(fc.assert(property, { numRuns: 500 }));
  });
}
