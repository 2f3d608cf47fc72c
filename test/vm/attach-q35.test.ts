/**
 * vkmemctl vm attach to a running q35 machine, whose root bus does not support hot-plug, and what it refuses.
 */
import { connect } from '@vkmemd/client';
import t from 'tap';
import { vkmemctl } from '../cli/support.js';
import { startDaemon } from '../support/daemon.js';
import { until } from '../support/supervised-daemon.js';
import { noQemu, startMachine, stop } from './machine.js';

t.test('attach to a q35 machine uses a port for hot-plug', { skip: noQemu ?? false }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  const memory = await client.allocate({ name: 'frames', size: 1n << 20n });
  const machine = await startMachine(t, '-S', '-machine', 'q35', '-device', 'pcie-root-port,id=rp0,slot=1');
  const attach = (...more: string[]) =>
    vkmemctl(runtimeDir, 'vm', 'attach', 'frames', '--qmp', machine.qmp, ...more);
  const grants = async () => (await client.get({ name: 'frames' })).grants;
  const before = await grants();

  t.match(await attach(), { code: 1, stderr: /VMM_REFUSED.*does not support hotplugging/ });
  t.match(await attach('--bus', 'missing'), { code: 1, stderr: /VMM_REFUSED.*missing/ });
  t.match(await attach('--access', 'ro'), { code: 1, stderr: /INVALID_ARGUMENT.*guest can write/ });
  t.equal(await grants(), before, 'a refused attach leaves no grant');
  t.match(await attach('--bus', 'rp0'), { code: 0 });
  t.equal(await grants(), before + 1);
  await stop(machine.child);
  await until('its grant is released', async () => (await grants()) === before || undefined);
  await memory.free();
});
