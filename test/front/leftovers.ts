/**
 * What a lost front may not leave in the core: connections and their places, leased fds, watches, sessions,
 * allocations, bytes.
 */

import type { Test } from 'tap';
import { type AllocationReport, ControlWire } from '../support/control-wire.js';
import { assertNoLeaks } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import type { BudgetReport, Watching } from '../support/watching.js';
import { eventually } from './support.js';

/** Watches of a kind that a tenant may have, and calls that a connection may have. */
const WATCHES = 64;

interface Figures {
  readonly handoff: number;
  readonly control: number;
  readonly admin: number;
  readonly fdsLeased: number;
}

async function figuresOf(control: ControlWire): Promise<Figures> {
  const { families } = await control.call('GetMetrics', {});
  const metrics = (name: string) =>
    families.find((family) => family.name === `vkmemd_${name}`)?.metrics ?? [];
  const connections = (plane: string) =>
    metrics('connections').find(({ labels }) => labels.some(({ value }) => value === plane))?.value ?? -1;
  return {
    handoff: connections('handoff'),
    control: connections('control'),
    admin: connections('admin'),
    fdsLeased: metrics('fds_leased')[0]?.value ?? -1,
  };
}

/** Asserts that the daemon serves as many watches as it permits: none is left of an earlier connection. */
async function assertAllWatches(t: Test, runtimeDir: string): Promise<void> {
  const controls = [new ControlWire(runtimeDir), new ControlWire(runtimeDir)] as const;
  const [first, second] = controls;
  const wire = await HandoffWire.open(runtimeDir);
  const each = Array.from({ length: WATCHES });
  const budgets = each.map((): Watching<BudgetReport> => first.watchBudget());
  const allocations = each.map(
    (): Watching<AllocationReport> => second.watchAllocations({ includeExisting: true }),
  );
  try {
    await Promise.all(budgets.map((watching) => watching.until(() => true)));
    // A watch that has not begun yet begins with what exists.
    const { allocate } = (await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } }))
      .message;
    const id = allocate?.allocation?.id ?? '';
    await Promise.all(
      allocations.map((watching) => watching.until(({ allocation }) => allocation?.id === id)),
    );
    await wire.ask({ free: { allocation: { id } } });
    t.pass(`${WATCHES} watches of each kind`);
  } catch (failure) {
    t.fail(`a watch is left: ${failure}`);
  }
  for (const watching of [...budgets, ...allocations]) {
    watching.cancel();
    void watching.ended;
  }
  for (const control of controls) control.close();
  wire.close();
}

/** Asserts that the core has nothing but one control connection of this check, whose fd is leased. */
export async function assertNothingLeft(t: Test, runtimeDir: string): Promise<void> {
  await assertAllWatches(t, runtimeDir);
  await assertNoLeaks(t, runtimeDir);
  const control = new ControlWire(runtimeDir);
  const wanted = { handoff: 0, control: 1, admin: 0, fdsLeased: 1 };
  let found: Figures | undefined;
  await eventually(
    'nothing is left',
    async () => {
      found = await figuresOf(control);
      return JSON.stringify(found) === JSON.stringify(wanted) || undefined;
    },
    5000,
  ).catch(() => {});
  t.strictSame(found, wanted, 'connections and leased fds');
  control.close();
}
