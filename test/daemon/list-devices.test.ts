/** `vkmemd --list-devices`: the devices of the host, which are not opened. */
import t from 'tap';
import { daemonProgram, lavapipe, plainEnvironment } from '../support/daemon.js';
import { runNode } from '../support/program.js';
import { FIRST_DRIVER, noSecondGpu, SECOND_DRIVER, TwoGpus } from '../support/two-gpus.js';

const listed = (env: NodeJS.ProcessEnv, ...args: readonly string[]) =>
  runNode([daemonProgram, '--list-devices', ...args], { ...plainEnvironment(), ...env });

t.test('the order is that of PCI addresses', { skip: noSecondGpu }, async (t) => {
  const { environment } = new TwoGpus(t);
  const { code, stdout } = await listed(environment, '--json');
  t.equal(code, 0);
  const { devices } = JSON.parse(stdout) as {
    devices: { index: number; pciAddress: string; name: string }[];
  };
  const { part: _part, ...second } = SECOND_DRIVER;
  t.match(devices, [
    { ...second, name: /^SwiftShader/, type: 'discrete', driver: /SwiftShader/ },
    { index: 1, pciAddress: FIRST_DRIVER.pciAddress, name: /^llvmpipe/, type: 'discrete' },
  ]);
  const text = await listed(environment);
  const [heading, first, next] = text.stdout.split('\n');
  t.match(heading, /^INDEX +UUID +PCI ADDRESS +TYPE +NAME +DRIVER$/);
  t.match(first, new RegExp(`^0 +${SECOND_DRIVER.uuid} +0000:41:00\\.0 +discrete +SwiftShader`));
  t.match(next, /^1 +[0-9a-f-]{36} +0000:c1:00\.0 +discrete +llvmpipe/);
});

t.test('a driver without PCI addresses, no driver, and options that do not fit', async (t) => {
  const alone = await listed({ VK_DRIVER_FILES: lavapipe() }, '--json');
  t.match(JSON.parse(alone.stdout), { devices: [{ index: 0, type: 'cpu', pciAddress: null }] });
  const none = await listed({ VK_DRIVER_FILES: '/nowhere.json' }, '--json');
  t.match(none, { code: 1, stdout: '', stderr: /UNAVAILABLE: No Vulkan driver was found/ });
  const both = await listed({}, '--check-config');
  t.match(both, { code: 64, stderr: /'--list-devices' cannot be used with option '--check-config'/ });
});
