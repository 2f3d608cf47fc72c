/** AllocateMany over the end of a daemon: a request whose answer was lost is sent again, and makes nothing twice. */
import { randomUUID } from 'node:crypto';
import { connect } from '@vkmemd/client';
import { closeAll } from '@vkmemd/proto';
import t from 'tap';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { allocate, controlled, kinds, list, nothingLeft } from './support.js';

const COUNT = 600;

t.test('many allocations over the end of the daemon', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const client = await connect({ runtimeDir: daemon.runtimeDir });
  // The session is kept from its first allocation on.
  const first = await client.allocate({ size: 4096 });
  for (const delayMs of [30, 90, 200]) {
    const list = Array.from({ length: COUNT }, (_, index) => ({
      size: 4096,
      name: `many-${delayMs}-${index}`,
    }));
    const asked = client.allocateMany(list);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await daemon.kill();
    const made = await asked;
    t.equal((await client.list()).length, 1 + COUNT, 'each is made once');
    t.ok(made.every(({ grants }) => grants.length === 1));
    for (const [index, memory] of made.entries()) memory.map().bytes.fill(index % 251);
    const claimed = await client.claimMany(list.map(({ name }) => ({ name })));
    const same = claimed.every(
      (one, index) =>
        one.status === 'fulfilled' && one.value.map().bytes.every((byte) => byte === index % 251),
    );
    t.ok(same, 'and can be claimed');
    for (const one of claimed) if (one.status === 'fulfilled') await one.value.release();
    await Promise.all(made.map((memory) => memory.free()));
  }
  await first.free();
  await client.close();
  await nothingLeft(t, daemon);
});

t.test('what was made for a lost answer is freed with the rest', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  // The session is kept from its first allocation on.
  const kept = await allocate(wire, 1, { name: 'kept' });
  const requests = Array.from({ length: 250 }, (_, index) => ({
    sizeBytes: 4096n,
    kinds,
    grantKinds: kinds,
    name: `many-${index}`,
    requestId: randomUUID(),
  }));
  wire.send({ allocateMany: { requests } });
  await until('some are made', async () => (await list(daemon)).length > 20 || undefined);
  await daemon.kill();
  await daemon.serving();
  const made = new Set((await list(daemon)).map(({ name }) => name));
  const [missing] = requests.filter(({ name }) => !made.has(name)).slice(-1);
  if (!missing) throw new Error('the daemon was killed too late');
  await controlled(daemon, async (control) => {
    const { name, sizeBytes } = missing;
    const other = await control.call('Allocate', { sizeBytes, kinds, name });
    const again = await daemon.open({ token: wire.welcome.sessionToken, grantIds: [] });
    t.equal(again.welcome.restored, true);
    again.send({ allocateMany: { requests } });
    const { message, fds } = await again.next();
    closeAll(fds);
    t.match(message.error, { message: /Request \d+: .*many-/ });
    t.match(
      (await list(daemon)).map(({ name }) => name),
      ['kept', name],
      'nothing of the request is left',
    );
    await control.call('FreeAllocation', { allocation: { id: other.allocation?.id ?? '' } });
    await control.call('FreeAllocation', { allocation: { name: 'kept' } });
    kept.fd.close();
    again.close();
  });
  wire.close();
  await nothingLeft(t, daemon);
});
