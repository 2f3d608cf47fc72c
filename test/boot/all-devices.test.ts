/**
 * /etc/vkmemd/all-devices: the generator adds vkmemd-devices.service to the boot, which starts a daemon for each GPU,
 * and turns off the service of the preferred device.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';
import { until } from '../support/supervised-daemon.js';
import { noSecondGpu, SECOND_DRIVER, TwoGpus } from '../support/two-gpus.js';
import { Booted, SERVICE } from './booted.js';
import { unbootable } from './namespaces.js';
import { NODE, TREE } from './places.js';

const FILE = '/etc/vkmemd/all-devices';
const DEVICES = 'vkmemd-devices.service';
const SCRIPT = '/etc/fake-script';
const PROGRAM = `${NODE} ${TREE}/daemon/bin/vkmemd.js`;

/** The daemons' environment as lines of a unit: the fake layer of the tree, with its script in the system. */
function environment(): string {
  const { VK_DRIVER_FILES, VK_INSTANCE_LAYERS, NODEVICE_SELECT } = new TwoGpus(t).environment;
  const set = {
    VK_DRIVER_FILES,
    VK_INSTANCE_LAYERS,
    NODEVICE_SELECT,
    VK_LAYER_PATH: `${TREE}/test/layer`,
    VKMEMD_FAKE_SCRIPT: SCRIPT,
  };
  return Object.entries(set)
    .map(([name, value]) => `Environment=${name}=${value}\n`)
    .join('');
}

const GPUS = 'pci llvmpipe 0000:c1:00.0\npci SwiftShader 0000:41:00.0\ndevice_type discrete\n';

const files = (script: string): Record<string, string> => ({
  [FILE.slice(1)]: '',
  [SCRIPT.slice(1)]: script,
  'etc/systemd/system-generators/vkmemd-generator': readFileSync(
    join(root, 'systemd/vkmemd-generator'),
    'utf8',
  ),
  [`etc/systemd/system/${DEVICES}.d/boot.conf`]: `[Service]
ExecStart=
ExecStart=/bin/sh -c 'exec ${PROGRAM} --list-devices >"$RUNTIME_DIRECTORY/list"'
ExecStart=+${TREE}/systemd/vkmemd-start-devices /run/vkmemd-devices/list
RestartSec=1s
${environment()}`,
  'etc/systemd/system/vkmemd@.service.d/boot.conf': `[Service]
ExecStart=
ExecStart=${PROGRAM} --device %i
${environment()}LimitCORE=0
`,
});

t.setTimeout(300_000);
const skip = unbootable() || noSecondGpu;

t.test('each GPU has a daemon at boot', { skip, timeout: 300_000 }, async (t) => {
  const booted = await Booted.start(t, '', files(GPUS));
  t.match(await booted.show('vkmemd-handoff.socket', 'ActiveState', 'ConditionResult'), {
    ActiveState: 'inactive',
    ConditionResult: 'no',
  });
  await booted.systemctl('start', 'multi-user.target');
  await until('the service has started all', async () => {
    const { ActiveState } = await booted.show(DEVICES, 'ActiveState');
    return ActiveState === 'active' || undefined;
  });
  interface Listed {
    readonly devices: { index: number; uuid: string; runtimeDir: string; ready: boolean; name: string }[];
  }
  const devices = async () => {
    const { status, stdout } = await booted.vkmemctl('worker', 'devices', '--json');
    return status === 0 ? (JSON.parse(stdout) as Listed).devices : [];
  };
  const all = await until('both daemons are ready', async () => {
    const listed = await devices();
    return listed.length === 2 && listed.every(({ ready }) => ready) ? listed : undefined;
  });
  t.match(all, [
    { index: 0, uuid: SECOND_DRIVER.uuid, name: /^SwiftShader/ },
    { index: 1, name: /^llvmpipe/ },
  ]);
  const [one, two] = all.map(({ uuid }) => `vkmemd@${uuid}.service`) as [string, string];
  t.strictSame(
    all.map(({ runtimeDir }) => runtimeDir),
    all.map(({ uuid }) => `/run/vkmemd/devices/${uuid}`),
  );
  t.match(await booted.show(SERVICE, 'ActiveState'), { ActiveState: 'inactive' });
  const several = await booted.vkmemctl('worker', 'ls');
  t.match(several, { status: 1, stderr: /several devices: 0: SwiftShader.*1: llvmpipe/ });

  const before = await booted.show(two, 'InvocationID');
  const [pid = 0] = booted.pids(`system-vkmemd.slice/${one}`);
  t.ok(pid, 'the daemon runs');
  process.kill(pid, 'SIGKILL');
  await until('the killed one is ready again', async () => {
    const listed = await devices();
    const { NRestarts } = await booted.show(one, 'NRestarts');
    return (NRestarts === '1' && listed.every(({ ready }) => ready)) || undefined;
  });
  await booted.systemctl('restart', DEVICES);
  t.match(
    await booted.show(two, 'InvocationID', 'NRestarts'),
    { ...before, NRestarts: '0' },
    'the other one stays',
  );

  rmSync(booted.path(FILE));
  await booted.systemctl('daemon-reload');
  await booted.systemctl('start', 'vkmemd-handoff.socket');
  t.match(await booted.show('vkmemd-handoff.socket', 'ActiveState'), { ActiveState: 'active' });
});

t.test(
  'software devices alone start no daemon, and a GPU that appears does',
  { skip, timeout: 300_000 },
  async (t) => {
    const booted = await Booted.start(t, '', files(''));
    await booted.systemctl('start', '--no-block', 'multi-user.target');
    const journal = async () =>
      (await booted.journal(`_SYSTEMD_UNIT=${DEVICES}`)).map(({ MESSAGE }) => MESSAGE);
    await until('it failed', async () =>
      (await journal()).some((text) => text?.startsWith('no GPU was found')) ? true : undefined,
    );
    const { stdout } = await booted.run(
      'systemctl',
      'list-units',
      '--plain',
      '--no-legend',
      'vkmemd@*.service',
    );
    t.equal(stdout, '');
    writeFileSync(booted.path(SCRIPT), GPUS);
    await until('it is tried again', async () => {
      const { ActiveState } = await booted.show(`vkmemd@${SECOND_DRIVER.uuid}.service`, 'ActiveState');
      return ActiveState === 'active' || undefined;
    });
  },
);
