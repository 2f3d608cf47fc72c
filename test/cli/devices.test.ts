/** vkmemctl devices, and `--device`: daemons of several devices on one host. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, findDaemons } from '@vkmemd/client';
import { listenAt } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { until } from '../native/open-fds.js';
import {
  assertNoLeaks,
  daemonProgram,
  plainEnvironment,
  plainNode,
  startDaemon,
  temporaryFolder,
} from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { FIRST_DRIVER, noSecondGpu, SECOND_DRIVER, TwoGpus } from '../support/two-gpus.js';
import { parsed, vkmemctl } from './support.js';

interface Listed {
  readonly devices: readonly {
    readonly index: number | null;
    readonly uuid: string;
    readonly runtimeDir: string;
    readonly answers: boolean;
  }[];
}

/** A daemon for each of two GPUs. @returns their common folder, and the UUID of the other driver's device. */
async function startBoth(t: Test): Promise<{ folder: string; places: string[]; uuids: string[] }> {
  const folder = temporaryFolder(t);
  const env = new TwoGpus(t).environment;
  const uuids = [SECOND_DRIVER.uuid, '6d657361-3232-2e33-2e36-000000000000'];
  const places = uuids.map((uuid) => join(folder, 'devices', uuid));
  const names = [SECOND_DRIVER.part, FIRST_DRIVER.part];
  for (const [at, runtimeDir] of places.entries()) {
    mkdirSync(runtimeDir, { recursive: true });
    await startDaemon(t, { runtimeDir, args: ['--device', names[at] ?? ''], env });
  }
  return { folder, places, uuids: places.map((place) => readUuid(place)) };
}

const readUuid = (place: string): string =>
  (JSON.parse(readFileSync(join(place, 'about/device.json'), 'utf8')) as { uuid: string }).uuid;

t.test(
  'it lists the daemons of all devices, and commands take each form',
  { skip: noSecondGpu },
  async (t) => {
    const { folder, places, uuids } = await startBoth(t);
    const [swiftshader = '', lavapipe = ''] = uuids;
    const json = parsed(await vkmemctl(folder, 'devices', '--json')) as unknown as Listed;
    t.match(json.devices, [
      {
        index: 0,
        uuid: swiftshader,
        name: /^SwiftShader/,
        type: 'discrete',
        pciAddress: SECOND_DRIVER.pciAddress,
        runtimeDir: places[0],
        answers: true,
        version: /^\d+\.\d+\.\d+/,
        ready: true,
        reasons: [],
        error: null,
      },
      { index: 1, uuid: lavapipe, pciAddress: FIRST_DRIVER.pciAddress, runtimeDir: places[1], ready: true },
    ]);
    t.equal(json.devices.length, 2);
    const { stdout, code } = await vkmemctl(folder, 'devices');
    t.equal(code, 0);
    const [heading, first, second] = stdout.split('\n');
    t.match(heading, /^INDEX +UUID +NAME +PCI ADDRESS +VERSION +STATE +RUNTIME FOLDER$/);
    t.match(first, new RegExp(`^ +0 +${swiftshader} +SwiftShader.* 0000:41:00\\.0 .* ready +${places[0]}$`));
    t.match(second, new RegExp(`^ +1 +${lavapipe} +llvmpipe.* 0000:c1:00\\.0 .* ready +${places[1]}$`));

    const nameOf = async (device: string) => {
      const status = parsed(await vkmemctl(folder, 'status', '--device', device, '--json'));
      return (status as unknown as { devices: { name: string }[] }).devices[0]?.name;
    };
    for (const device of ['0', swiftshader, swiftshader.replaceAll('-', ''), `GPU-${swiftshader}`, 'swift'])
      t.match(await nameOf(device), /^SwiftShader/, device);
    for (const device of ['1', lavapipe.slice(0, 8), FIRST_DRIVER.part])
      t.match(await nameOf(device), /^llvmpipe/, device);
    t.match(parsed(await vkmemctl(folder, 'devices', '--device', '1', '--json')), {
      devices: [{ uuid: lavapipe }],
    });

    const none = await vkmemctl(folder, 'ls');
    t.equal(none.code, 1);
    t.match(none.stderr, /INVALID_ARGUMENT: .* has daemons of several devices/);
    for (const part of [`1: llvmpipe`, `0: SwiftShader`, swiftshader, lavapipe, ...places])
      t.ok(none.stderr.includes(part), part);
    const both = await vkmemctl(folder, 'ls', '--device', 'vkmemd fake');
    t.match(both, { code: 1, stderr: /'vkmemd fake' matches several devices/ });
    const absent = await vkmemctl(folder, 'ls', '--device', '2');
    t.match(absent, { code: 69, stderr: /No daemon of device 2 was found in .*0: SwiftShader/ });

    await using client = await connect({ runtimeDir: folder, device: 1 });
    await using memory = await client.allocate({ size: 4096, name: 'here' });
    const seen = await vkmemctl(folder, 'ls', '--device', 'llvmpipe', '--json');
    t.match(parsed(seen), { allocations: [{ id: memory.allocation.id }] });
    t.match(parsed(await vkmemctl(folder, 'ls', '--device', '0', '--json')), { allocations: [] });
    await memory.free();
    await client.close();
    for (const place of places) await assertNoLeaks(t, place);
  },
);

t.test('a daemon that does not answer is listed as such', async (t) => {
  const folder = temporaryFolder(t);
  const [hung, dead] = ['11111111-0000-0000-0000-000000000000', '22222222-0000-0000-0000-000000000000'];
  for (const uuid of [hung, dead]) mkdirSync(join(folder, 'devices', uuid), { recursive: true });
  // It accepts connections as a process does that is stopped: the kernel queues them.
  using socket = listenAt({ type: 'seqpacket', path: join(folder, 'devices', hung, 'handoff.sock') });
  t.ok(socket);
  writeFileSync(join(folder, 'devices', dead, 'handoff.sock'), '');
  const daemon = await startDaemon(t, { runtimeDir: folder });
  const { devices } = parsed(await vkmemctl(folder, 'devices', '--json')) as unknown as Listed;
  t.match(devices, [
    { index: 0, runtimeDir: folder, answers: true, ready: true },
    { index: null, uuid: hung, answers: false, ready: null, error: { code: 'UNAVAILABLE' } },
    { index: null, uuid: dead, answers: false, error: { code: 'UNAVAILABLE' } },
  ]);
  const { stdout, code } = await vkmemctl(folder, 'devices');
  t.equal(code, 0);
  t.match(stdout, new RegExp(`- +${hung} +- .* no answer +`));

  const path = join(folder, 'about/device.json');
  t.equal(statSync(path).mode & 0o777, 0o644, 'every user who can enter the folder reads it');
  t.equal(statSync(join(folder, 'about')).mode & 0o777, 0o755);
  await daemon.stop();
  t.notOk(existsSync(join(folder, 'about')), 'it is removed at the end');
  t.match(await vkmemctl(temporaryFolder(t), 'devices'), { code: 69, stderr: /UNAVAILABLE: .*handoff.sock/ });
});

t.test('a description that cannot be written is a warning', async (t) => {
  const runtimeDir = temporaryFolder(t);
  writeFileSync(join(runtimeDir, 'about'), 'not a folder');
  const daemon = await startDaemon(t, { runtimeDir });
  t.match(daemon.log(), /the description of the device could not be changed/);
  t.match(findDaemons({ runtimeDir }), [{ runtimeDir, uuid: null, device: null }]);
  await using client = await connect({ runtimeDir });
  t.ok(client.session);
});

t.test('one of an earlier daemon is removed before the device is opened', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const first = await startDaemon(t, { runtimeDir, unchecked: true });
  const path = join(runtimeDir, 'about/device.json');
  await first.stop('SIGKILL');
  t.ok(existsSync(path), 'a daemon that is killed leaves it');
  // It is opening its device until the end of the test.
  const layer = new FakeLayer(t, 'delay vkCreateDevice * 600000');
  const [command, args] = plainNode([daemonProgram, '--runtime-dir', runtimeDir]);
  const next = spawn(command, args, {
    env: { ...plainEnvironment(), ...layer.environment },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => next.once('exit', resolve));
  t.teardown(async () => {
    next.kill('SIGKILL');
    await ended;
  });
  await until(() => !existsSync(path), 20_000);
  t.notOk(existsSync(path));
});
