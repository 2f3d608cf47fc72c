/**
 * The daemon's reports about a device: rungs, the budget and doctor, checked against the contract and the
 * known properties of the drivers.
 */
import { KIND_NAMES, type KindName } from '@vkmemd/proto';
import type { Test } from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import { SIZE } from './cases.js';
import type { Seat } from './seat.js';
import { known } from './table.js';

const COLUMNS = 100;
const RUNG = 'RUNG_';

/** What the table says about the driver; undefined for a GPU. */
const knownOf = ({ driver, device }: Seat) =>
  driver.name === 'GPU' ? undefined : known(driver.name, device.driverInfo);

/** One assertion for each kind: the rung is the known one of the driver, and has all its fields. */
export function checkRungs(t: Test, seat: Seat): void {
  for (const kind of KIND_NAMES) {
    const { rung, via, reason, missing } = seat.report(kind);
    const supported = rung !== 'RUNG_UNSUPPORTED';
    const expected = knownOf(seat)?.rungs[kind];
    const found = [rung.slice(RUNG.length), missing].filter(Boolean).join(' ');
    const name = `${seat.driver.name} / ListDevices says ${kind} ${found}: pass`;
    const whole = /\S/.test(reason) && (via !== '') === supported && (missing === '') === supported;
    if (whole && (expected === undefined || expected === found)) t.pass(name);
    else t.fail(name, { expected, rung, via, reason, missing });
  }
}

/** Every heap has an account, and the account includes an allocation while it lives. */
export async function checkBudget(t: Test, seat: Seat): Promise<void> {
  const { client, driver, device } = seat;
  const { heaps } = await client.budget();
  const sources = [...new Set(heaps.map(({ source }) => source.slice('BUDGET_SOURCE_'.length)))];
  t.same(
    heaps.map(({ heapIndex, sizeBytes }) => [heapIndex, sizeBytes]),
    device.heaps.map(({ index, sizeBytes }) => [index, sizeBytes]),
    `${driver.name} / a budget for every heap: pass`,
  );
  const possible = knownOf(seat)?.budgetSources ?? ['EXT', 'ESTIMATED'];
  t.ok(
    sources.length === 1 && possible.includes(sources[0] ?? ''),
    `${driver.name} / the budget's source is ${sources.join(', ')}: pass`,
  );
  const within = heaps.every(
    ({ availableBytes, sizeBytes }) => availableBytes >= 0n && availableBytes <= sizeBytes,
  );
  t.ok(within, `${driver.name} / no heap has more available than its size: pass`);
  const kind = KIND_NAMES.find((one) => seat.offers(one));
  if (kind !== undefined) await checkCharged(t, seat, kind);
  await seat.settled();
}

async function checkCharged(t: Test, { client, driver }: Seat, kind: KindName): Promise<void> {
  const memory = await client.allocate({ size: SIZE, kinds: [kind] });
  const { heaps } = await client.budget();
  const live = heaps.find(({ heapIndex }) => heapIndex === memory.allocation.heapIndex)?.liveBytes;
  t.equal(live, memory.size, `${driver.name} / live bytes are in the budget: pass`);
  await memory.free();
}

const KEYS = [
  ...['name', 'type', 'driver', 'driverVersion', 'deviceUuid', 'driverUuid'],
  ...['heaps', 'memoryTypes', 'kinds', 'pages', 'semaphores', 'budgetSource'],
];

/** doctor --json has the keys that scripts rely on and agrees with ListDevices; its table fits a terminal. */
export async function checkDoctor(t: Test, seat: Seat): Promise<void> {
  const { driver, runtimeDir } = seat;
  const mapped = seat.report('MAPPABLE').rung === 'RUNG_VERIFIED';
  const ended = await vkmemctl(runtimeDir, 'doctor', '--json');
  t.equal(ended.code, mapped ? 0 : 1, `${driver.name} / doctor --json exits ${ended.code}: pass`);
  const { devices } = parsed(ended);
  const [device] = devices;
  t.equal(devices.length, 1, `${driver.name} / doctor --json has one device: pass`);
  const { limits: _limits, ...rest } = device;
  t.same(Object.keys(rest), KEYS, `${driver.name} / doctor --json has the expected keys: pass`);
  const kinds = Object.fromEntries(
    KIND_NAMES.map((kind) => {
      const { rung, via, reason, missing } = seat.report(kind);
      return [kind, { rung: rung.slice(RUNG.length), via, reason, missing }];
    }),
  );
  t.same(device.kinds, kinds, `${driver.name} / doctor --json and ListDevices agree on the kinds: pass`);
  const words = KEYS.slice(0, 6).map((key) => device[key]);
  t.ok(
    words.every((word) => typeof word === 'string' && word.trim() === word && word !== ''),
    `${driver.name} / doctor --json names device and driver: pass`,
  );
  const { stdout } = await vkmemctl(runtimeDir, 'doctor');
  const lines = stdout.split('\n');
  t.ok(
    lines.every((line) => line.length <= COLUMNS && line.trimEnd() === line),
    `${driver.name} / doctor's table fits ${COLUMNS} columns: pass`,
  );
  for (const kind of KIND_NAMES) {
    const said = lines.some(
      (line) => line.startsWith(`${kind} `) && line.includes(seat.report(kind).rung.slice(RUNG.length)),
    );
    t.ok(said, `${driver.name} / doctor's table shows ${kind}: pass`);
  }
  await seat.settled();
}
