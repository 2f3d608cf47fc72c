/**
 * The commands of the property test of survival: a request alone, requests under way when the daemon is killed,
 * and writes that begin to fail and succeed again. After each one everything is compared with the model.
 */
import type fastCheck from 'fast-check';
import { fc } from './properties.js';
import type { SurvivalModel } from './survival-model.js';
import type { Asked, Request } from './survival-requests.js';
import * as requests from './survival-requests.js';
import { type Death, type Outcome, POLICIES, type SurvivalWorld } from './survival-world.js';

export type Command = fastCheck.AsyncCommand<SurvivalModel, SurvivalWorld>;

/** Compares how a request ended with the model, and changes the model. @returns how it ended, in a word. */
async function settle(world: SurvivalWorld, one: Asked, outcome: Outcome<unknown>): Promise<string> {
  const { model } = world;
  const { refusal, refusals = [] } = one;
  if (outcome === 'lost') {
    one.lost();
    return 'lost';
  }
  if ('answer' in outcome) {
    if (refusal) throw new Error(`served, and should be refused with ${refusal}`);
    if (one.written && model.allFail) throw new Error('served, although nothing can be recorded');
    // Of requests under way at once, a later one may have been written before.
    if (one.written && !world.dying) model.written();
    await one.served(outcome.answer);
    return 'served';
  }
  const { code } = outcome;
  const faults = [...(model.failing ? ['LEDGER_FULL'] : []), ...(model.fdsFailing ? ['INTERNAL'] : [])];
  const permitted = [...(refusal ? [refusal] : refusals), ...faults];
  if (!permitted.includes(code)) throw new Error(`refused with ${code}, not ${permitted.join(' or ')}`);
  return code;
}

/** A request whose answer is awaited. */
class Alone implements Command {
  readonly #request: Request;

  constructor(request: Request) {
    this.#request = request;
  }

  check = (): boolean => true;

  async run(model: SurvivalModel, world: SurvivalWorld): Promise<void> {
    const one = this.#request.plan(world);
    if (!one) return;
    const outcome = await world.outcomeOf(one.send());
    if (outcome === 'lost') throw new Error(`no answer to ${this}`);
    const how = await settle(world, one, outcome);
    world.log.push(`${this}: ${how}`);
    model.note(`${this.#request.name.split(' ')[0]} ${how}`);
    await world.check(`after ${this}`);
  }

  toString(): string {
    return this.#request.name;
  }
}

/** Requests that are sent at once, during which the daemon is killed. */
class Dying implements Command {
  readonly #requests: readonly Request[];
  readonly #death: Death;
  readonly #starts: readonly number[];
  readonly #asleep: number;

  constructor(sent: readonly Request[], death: Death, starts: readonly number[], asleep: number) {
    this.#requests = sent;
    this.#death = death;
    this.#starts = starts;
    this.#asleep = asleep;
  }

  check = (): boolean => true;

  async run(model: SurvivalModel, world: SurvivalWorld): Promise<void> {
    const used = new Set<string>();
    const apart = this.#requests.flatMap((request) => {
      const one = request.plan(world);
      if (!one || one.uses.some((use) => used.has(use))) return [];
      for (const use of one.uses) used.add(use);
      return [{ one, request }];
    });
    world.dying = true;
    await world.die(this.#death, this.#starts, this.#asleep, async () => {
      await Promise.all(
        apart.map(async ({ one, request }) => {
          const how = await settle(world, one, await world.outcomeOf(one.send()));
          world.log.push(`  ${request.name}: ${how}`);
          model.note(`${request.name.split(' ')[0]} ${how}, killed`);
        }),
      );
      world.dying = false;
    });
    world.log.push(`${this}`);
  }

  toString(): string {
    const sent = this.#requests.map(({ name }) => name).join('; ');
    return `killed ${JSON.stringify(this.#death)}, starts ${this.#starts}, asleep ${this.#asleep}: ${sent}`;
  }
}

class Other implements Command {
  readonly #name: string;
  readonly #run: (world: SurvivalWorld) => void | Promise<void>;

  constructor(name: string, run: (world: SurvivalWorld) => void | Promise<void>) {
    this.#name = name;
    this.#run = run;
  }

  check = (): boolean => true;

  async run(model: SurvivalModel, world: SurvivalWorld): Promise<void> {
    await this.#run(world);
    world.log.push(this.#name);
    model.note(this.#name.split(' ')[0] ?? '');
    await world.check(`after ${this.#name}`);
  }

  toString(): string {
    return this.#name;
  }
}

const open = () =>
  new Other('open', async (world) => {
    if (world.model.connected.length < 4) await world.connect();
  });
const resume = () =>
  new Other('resume', async (world) => {
    const asleep = world.model.sessions.find(({ wire, entrusted }) => !wire && !entrusted);
    if (asleep) await world.resume(asleep);
  });
const fail = (how: string, pattern: string) =>
  new Other(`fail ${how} ${pattern}`, (world) => world.fail(how, pattern));
const succeed = () => new Other('succeed', (world) => world.succeed());

const which = fc.nat(1000);
const request: fastCheck.Arbitrary<Request> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({
        which,
        kind: fc.constantFrom('MAPPABLE' as const, 'MAPPABLE' as const, 'OPAQUE_FD' as const),
        sharing: fc.constantFrom(
          'SHARED' as const,
          'SHARED' as const,
          'ONE_WRITER' as const,
          'EXCLUSIVE' as const,
        ),
        name: fc.constantFrom('', 'a', 'b', 'c', 'd'),
        requestId: fc.boolean(),
        publishable: fc.boolean(),
      })
      .map(requests.allocate),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(which, which, fc.constantFrom('RW' as const, 'RO' as const))
      .map((all) => requests.claim(...all)),
  },
  { weight: 3, arbitrary: which.map(requests.release) },
  {
    weight: 3,
    arbitrary: fc.tuple(which, fc.option(which, { nil: undefined })).map((all) => requests.free(...all)),
  },
  { weight: 1, arbitrary: fc.tuple(which, which).map((all) => requests.publish(...all)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(which, which, fc.integer({ min: 1, max: 3 }))
      .map((all) => requests.createTicket(...all)),
  },
  { weight: 2, arbitrary: fc.tuple(which, which).map((all) => requests.redeem(...all)) },
  { weight: 1, arbitrary: fc.tuple(which, which).map((all) => requests.revoke(...all)) },
  {
    weight: 1,
    arbitrary: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }).map(requests.setQuota),
  },
  { weight: 1, arbitrary: fc.nat(POLICIES - 1).map(requests.reload) },
  { weight: 1, arbitrary: which.map(requests.entrust) },
  { weight: 1, arbitrary: fc.tuple(which, which).map((all) => requests.endEntrusted(...all)) },
  { weight: 2, arbitrary: which.map(requests.close) },
);

const POINTS = [
  'ledger:write',
  'ledger:written',
  'session:stored',
  'fds:put',
  'made:nothing',
  'made:stored',
  'made:written',
  'granted:written',
  'draining:written',
  'gone:nothing',
  'gone:written',
];
const death: fastCheck.Arbitrary<Death> = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 5).map((afterMs) => ({ afterMs })),
  fc.record({ point: fc.constantFrom(...POINTS), call: fc.nat(3) }),
);
const dying = fc
  .tuple(
    fc.array(request, { minLength: 1, maxLength: 6 }),
    death,
    fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(fc.nat(400), { maxLength: 2 }) },
    ),
    fc.nat(255),
  )
  .map((all) => new Dying(...all));

/** @param full Whether the file system can be filled. */
export const commandsOf = (full: boolean): fastCheck.Arbitrary<Command>[] => {
  const how = [
    'ENOSPC',
    'EIO',
    'EDQUOT',
    'EROFS',
    'MDB_MAP_FULL',
    'MDB_PANIC',
    'FDS',
    ...(full ? ['FULL', 'FULL'] : []),
  ];
  const failing = fc.tuple(fc.constantFrom(...how), fc.constantFrom('1', '10', '01', '110', '0001'));
  const alone = request.map((one) => new Alone(one));
  return [
    ...Array.from({ length: 9 }, () => alone),
    dying,
    dying,
    fc.constant(null).map(open),
    fc.constant(null).map(resume),
    failing.map((all) => fail(...all)),
    fc.constant(null).map(succeed),
  ];
};
