/**
 * The front is killed, stopped and made to grow, with every kind of call under way, while clients of the
 * handoff socket claim and release: these notice nothing, gRPC is back soon, and nothing of the lost front is
 * left.
 */
import t, { type Test } from 'tap';
import { startDaemon as startHere } from 'vkmemd';
import { driverUnderTest, startDaemon, temporaryFolder } from '../support/daemon.js';
import { growUntil } from './growth.js';
import { assertNothingLeft } from './leftovers.js';
import { assertServed, Load } from './load.js';
import { CRAFTED, Relay } from './relay.js';
import { anotherFront, frontOf, grpcBack, sleep } from './support.js';
import { openPlace, type Place, restartsOf, USES, type UseName } from './uses.js';

const WAYS = ['SIGKILL', 'SIGSTOP', 'memory', 'datagram'] as const;
type Way = (typeof WAYS)[number];
type Signalled = Exclude<Way, 'datagram'>;

const ROUNDS: readonly (readonly [Signalled, UseName])[] = [
  ['SIGKILL', 'unary'],
  ['SIGKILL', 'list'],
  ['SIGKILL', 'allocate'],
  ['SIGKILL', 'transfer'],
  ['SIGKILL', 'watchBudget'],
  ['SIGKILL', 'watchAllocations'],
  ['SIGKILL', 'admin'],
  ['SIGKILL', 'backlog'],
  ['SIGKILL', 'idle'],
  ['SIGKILL', 'list'],
  ['SIGKILL', 'allocate'],
  ['SIGSTOP', 'unary'],
  ['SIGSTOP', 'allocate'],
  ['SIGSTOP', 'watchBudget'],
  ['SIGSTOP', 'idle'],
  ['memory', 'watchAllocations'],
  ['memory', 'idle'],
];

/** A front that has served for this long is started again at once. */
const STABLE_MS = 1000;
const FRONT_MEMORY = '192MiB';

t.setTimeout(300_000);

/** Prints how long gRPC was away, from the exit of the front, or from when it was stopped. */
function printAway(t: Test, times: Readonly<Partial<Record<Way, number[]>>>): void {
  for (const way of WAYS) {
    const sorted = [...(times[way] ?? [])].sort((one, other) => one - other);
    if (sorted.length === 0) continue;
    t.comment(`figure: gRPC is back after ${way}: ${sorted.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  }
}

/** Loses the front while it is used. Resolves to how long gRPC was away, in milliseconds. */
async function lostDuring(
  t: Test,
  name: UseName,
  place: Place,
  lose: () => void | Promise<void>,
): Promise<number> {
  await grpcBack(place.runtimeDir);
  await sleep(STABLE_MS + 100);
  const before = await restartsOf(place.wire);
  const { done } = await USES[name]({ ...place, t });
  await sleep(Math.random() * 5);
  await lose();
  const ms = await grpcBack(place.runtimeDir);
  await done;
  t.equal(await restartsOf(place.wire), before + 1n, 'another front');
  return ms;
}

t.test('the front is lost, by a signal or by its memory', async (t) => {
  const daemon = await startDaemon(t, { policy: `[limits]\nfront_memory = "${FRONT_MEMORY}"\n` });
  const { runtimeDir } = daemon;
  const place = await openPlace(t, runtimeDir);
  const load = await Load.start(t, runtimeDir);
  const times: Partial<Record<Way, number[]>> = {};
  for (const [way, name] of ROUNDS) {
    await t.test(`${way} during ${name}`, async (t) => {
      const lose = async (): Promise<void> => {
        const front = await anotherFront(daemon);
        if (way === 'memory') (await growUntil(() => frontOf(daemon) !== front, runtimeDir))();
        else process.kill(front, way);
      };
      const ms = await lostDuring(t, name, place, lose);
      times[way] = [...(times[way] ?? []), ms];
    });
  }
  assertServed(t, `${ROUNDS.length} lost fronts`, await load.end());
  printAway(t, times);
  await place.close();
  await assertNothingLeft(t, runtimeDir);
});

t.test('the front is lost, by what it sends', async (t) => {
  process.env.VK_DRIVER_FILES ??= driverUnderTest();
  const relay = new Relay();
  const runtimeDir = temporaryFolder(t);
  const daemon = await startHere({ runtimeDir, front: relay.start });
  const place = await openPlace(t, runtimeDir);
  const load = await Load.start(t, runtimeDir);
  const datagram: number[] = [];
  const uses: readonly UseName[] = ['unary', 'list', 'watchBudget'];
  for (const [index, [what, send]] of Object.entries(CRAFTED).entries()) {
    const name = uses[index % uses.length] ?? 'unary';
    await t.test(`${what} during ${name}`, async (t) => {
      datagram.push(await lostDuring(t, name, place, () => send(relay)));
    });
  }
  assertServed(t, `${datagram.length} lost fronts`, await load.end());
  printAway(t, { datagram });
  await place.close();
  await assertNothingLeft(t, runtimeDir);
  await daemon[Symbol.asyncDispose]();
});
