/**
 * Malformed frames of HTTP/2, before and after GOAWAY, in many orders: by a user that no rule lets in, and by a tenant.
 * No other user notices.
 */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ADMIN_SOCKET } from '@vkmemd/proto';
import t from 'tap';
import { asUser } from '../support/as-user.js';
import { ControlWire } from '../support/control-wire.js';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';
import { noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';
import { assertServed, Load } from './load.js';
import { anotherFront } from './support.js';

const PROGRAM = fileURLToPath(new URL('programs/malformed.js', import.meta.url));
const ORDERS = 1000;
const SEED = 1 + Math.floor(Math.random() * 1e9);
const other = { uid: OTHER_UID, gid: OTHER_UID, groups: [] };
const RULES = {
  'a user that no rule lets in': '',
  'a tenant': `[[rule]]\nuid = ${OTHER_UID}\nconnect = true\n`,
};

t.setTimeout(300_000);

for (const [who, policy] of Object.entries(RULES)) {
  t.test(`${ORDERS} orders by ${who}`, { skip: noOtherUser ?? false }, async (t) => {
    const daemon = await startDaemon(t, { policy });
    const { runtimeDir } = daemon;
    openToOthers(runtimeDir);
    chmodSync(join(runtimeDir, ADMIN_SOCKET), 0o666);
    const front = await anotherFront(daemon);
    const control = new ControlWire(runtimeDir);
    await control.budget();
    const load = await Load.start(t, runtimeDir);
    t.comment(`seed ${SEED}`);
    const done = asUser(other, PROGRAM, [runtimeDir, String(ORDERS), String(SEED)]);
    let [over, failures] = [false, 0];
    void done.finally(() => {
      over = true;
    });
    while (!over) await control.budget().catch(() => (failures += 1));
    t.strictSame(await done, { closed: ORDERS }, 'each connection was closed');
    t.equal(failures, 0, 'no call of a connection that was there failed');
    assertServed(t, `malformed frames by ${who}`, await load.end());
    t.equal(await anotherFront(daemon), front, 'it is the same front');
    control.close();
    await assertNoLeaks(t, runtimeDir);
  });
}
