/**
 * Mappings: an allocation that the kernel's vm.max_map_count leaves no mapping for is refused before the driver
 * is called, and what is freed or survives a restart is counted.
 */
import { join } from 'node:path';
import { HANDOFF_SOCKET } from '@vkmemd/proto';
import t from 'tap';
import { HandoffServer } from 'vkmemd/dist/handoff/server.js';
import { MappingBudget } from 'vkmemd/dist/limits/mapping-budget.js';
import { makePartsHandlers } from 'vkmemd/dist/requests/handlers.js';
import { hello } from 'vkmemd/dist/requests/hello.js';
import { describeDevices } from 'vkmemd/dist/requests/list-devices.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { scrape } from '../admin/support.js';
import { allocate, nothingLeft } from '../store/support.js';
import { coreOn, handlersOf } from '../support/core.js';
import { driverUnderTest, temporaryFolder } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { LET_IN, policyOf } from '../support/quotas.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';

process.env.VK_DRIVER_FILES = driverUnderTest();
const MAX = 4;

t.test('an allocation without a mapping is refused, and one that was freed makes room', async (t) => {
  const device = await Device.open();
  const folder = temporaryFolder(t);
  const mappings = new MappingBudget({ max: 1000, open: 1000 - 250 - MAX });
  const core = coreOn(device, { policy: policyOf([LET_IN]), faults: [], mappings });
  const server = new HandoffServer({
    front: { pid: undefined },
    ...core,
    handlers: handlersOf(core),
    partsHandlers: makePartsHandlers(core),
    greetings: hello(core),
  });
  server.listen(join(folder, HANDOFF_SOCKET));
  t.teardown(async () => {
    await server[Symbol.asyncDispose]();
    await device.close();
  });
  const wire = await HandoffWire.open(folder);
  const make = async () => {
    const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
    return message.allocate?.allocation?.id ?? '';
  };
  const made: string[] = [];
  for (let i = 0; i < MAX; i += 1) made.push(await make());
  t.equal(mappings.leased, MAX);
  const [reported] = describeDevices(core).devices;
  t.equal(reported?.maxMappedAllocationCount, MAX, 'ListDevices has the number');
  const { liveMemories } = device;
  const refused = { code: 'TOO_MANY_ALLOCATIONS', metadata: { limit: String(MAX), whose: 'daemon' } };
  await t.rejects(make(), refused);
  t.equal(device.liveMemories, liveMemories, 'the driver was not called');
  t.equal(mappings.leased, MAX, 'a refusal leases nothing');
  for (const id of made.splice(0, 1)) await wire.ask({ free: { allocation: { id } } });
  made.push(await make());
  for (const id of made) await wire.ask({ free: { allocation: { id } } });
  wire.close();
  await until('the end of the session', () => server.connections === 0 || undefined);
  t.equal(mappings.leased, 0);
});

t.test('what survives a restart is counted', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const leased = async () => (await scrape(daemon.runtimeDir))('vkmemd_mappings_leased');
  const wire = await daemon.open();
  const held = [await allocate(wire, 0x11, { name: 'one' }), await allocate(wire, 0x22, { name: 'two' })];
  t.equal(await leased(), 2);
  await daemon.kill();
  await daemon.serving();
  t.equal(await leased(), 2);
  const again = await daemon.open();
  for (const { id, fd } of held) {
    fd.close();
    await again.ask({ free: { allocation: { id } } });
  }
  await until('both mappings are returned', async () => (await leased()) === 0 || undefined);
  wire.close();
  again.close();
  await nothingLeft(t, daemon);
});
