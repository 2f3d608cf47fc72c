/**
 * Shared by the tests of tickets: a daemon with an allocation to create tickets for, and users that present
 * them.
 */
import type { Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { openToAll, Tenant } from '../support/tenant.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

export const kinds = ['KIND_MAPPABLE'] as const;
export const opaque = ['KIND_OPAQUE_FD'] as const;
export const SMALL = { sizeBytes: 4096n, kinds };
export const [HOLDER, OTHER, NARROW] = [OTHER_UID, 65_532, 65_531];
/** The answer to every ticket that is not valid, whatever the reason. */
export const INVALID = { code: 'TICKET_INVALID', reason: '', metadata: {} };

/** Every user may connect; one may not have MAPPABLE memory; one has a limit of two tickets. */
const POLICY = `
[[rule]]
connect = true

[[rule]]
uid = ${NARROW}
kinds = ["DMA_BUF"]

[[rule]]
uid = ${HOLDER}
max_tickets = 2
`;

export const skip = noOtherUser ?? false;

/** A daemon with tenants, and an allocation of root that begins with `dcba`. */
export async function start(t: Test, ...uids: number[]) {
  const daemon = await startDaemon(t, { policy: POLICY });
  const { runtimeDir } = daemon;
  openToAll(runtimeDir);
  const owner = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  await control.call('Allocate', { ...SMALL, name: 'frames' });
  const allocation = { name: 'frames' };
  await control.call('Transfer', { fill: { allocation, pattern: 0x61626364, sizeBytes: 4n } });
  const tenants: Tenant[] = [];
  for (const uid of uids) tenants.push(await Tenant.start(t, runtimeDir, uid));
  const end = async () => {
    for (const tenant of tenants) await tenant.end();
    await control.call('FreeAllocation', { allocation });
    t.strictSame(
      await control.call('ListTickets', {}),
      { tickets: [], nextPageToken: '' },
      'tickets end with their allocation',
    );
    owner.close();
    control.close();
  };
  return { daemon, runtimeDir, owner, control, allocation, tenants: tenants as [Tenant, Tenant], end };
}

/** Waits until the condition holds. @throws Error after a time limit. */
export async function until(wanted: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await wanted()); tries += 1) {
    if (tries > 200) throw new Error('the condition did not become true in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
