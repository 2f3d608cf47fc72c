/** Claims that name the devices which their process can use: an OPAQUE_FD of another device is refused in words. */
import { connect } from '@vkmemd/client';
import { uuidText } from '@vkmemd/proto';
import t from 'tap';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const OTHER = Buffer.alloc(16, 0xab);

t.test('a claim for a process that does not see the device', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connect({ runtimeDir });
  const { devices } = await client.control.devices();
  const own = devices[0]?.deviceUuid ?? Buffer.alloc(0);
  await client.allocate({ size: 4096, name: 'opaque', kinds: ['OPAQUE_FD'] });
  await client.allocate({ size: 4096, name: 'mappable' });
  const { secret } = await client.createTicket({ name: 'opaque' }, { kinds: ['OPAQUE_FD'] });
  const kinds = ['OPAQUE_FD'] as const;
  const wrong = { code: 'WRONG_DEVICE', metadata: { device_uuid: uuidText(own) } };
  for (const ref of [{ name: 'opaque' }, { ticket: secret }]) {
    await t.rejects(client.claim(ref, { kinds, deviceUuids: [OTHER] }), {
      ...wrong,
      reason: new RegExp(`of the device ${uuidText(own)}; the process can use ${uuidText(OTHER)}`),
    });
  }
  const forms = [own, uuidText(own), `GPU-${uuidText(own)}`, uuidText(own).replaceAll('-', '').toUpperCase()];
  for (const form of forms) {
    const memory = await client.claim({ name: 'opaque' }, { kinds, deviceUuids: [OTHER, form] });
    await memory.release();
  }
  t.pass('it is granted where the device is one of those, in all forms, and the ticket has kept its use');
  await (await client.claim({ ticket: secret }, { deviceUuids: [own] })).release();
  await (await client.claim({ name: 'mappable' }, { deviceUuids: [OTHER] })).release();
  for (const odd of ['', 'GPU-1', OTHER.subarray(1)]) {
    await t.rejects(client.claim({ name: 'opaque' }, { kinds, deviceUuids: [odd] }), {
      code: 'INVALID_ARGUMENT',
      metadata: { field: 'deviceUuids' },
    });
  }
  const wire = await HandoffWire.open(runtimeDir);
  const ask = (deviceUuids: Buffer[]) =>
    wire.ask({ claim: { allocation: { name: 'opaque' }, kinds: ['KIND_OPAQUE_FD'], deviceUuids } });
  for (const deviceUuids of [[OTHER.subarray(1)], Array<Buffer>(65).fill(OTHER)]) {
    await t.rejects(ask(deviceUuids), { code: 'INVALID_ARGUMENT', metadata: { field: 'device_uuids' } });
  }
  wire.close();
  for (const name of ['opaque', 'mappable']) await client.free({ name });
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});
