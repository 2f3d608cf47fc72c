/**
 * What the tests on an NVIDIA GPU share: whether there is one, daemons on it, sessions, and what nvidia-smi
 * says.
 *
 * Figures are printed as `figure: NAME VALUE UNIT`, for docs/verified.md; none is asserted. On a GPU that
 * others use too, VKMEMD_TEST_GPU_MIB limits what a test takes of it, and what nvidia-smi says means nothing.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type Decoded, uuidText } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { type DaemonOptions, plainEnvironment, startDaemon, type TestDaemon } from '../support/daemon.js';

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

/** How far nvidia-smi may be off, in bytes: what drivers keep for themselves comes and goes. */
export const SLACK = 64 * MIB;

const TIMEOUT_MS = 150_000;
const DEVICE_LOCAL = 0x1;
const ICD_FOLDERS = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/nvidia/share/vulkan/icd.d'];

/** The loader's description of NVIDIA's driver: $VKMEMD_TEST_DRIVER, or where it usually is. */
function nvidiaDriver(): string | undefined {
  const usual = ICD_FOLDERS.map((folder) => `${folder}/nvidia_icd.json`);
  return process.env.VKMEMD_TEST_DRIVER ?? usual.find((file) => existsSync(file));
}

/** What of the machine is missing for these tests; false where nothing is. */
function missing(): string | false {
  if (!nvidiaDriver()) return `no NVIDIA driver: no nvidia_icd.json in ${ICD_FOLDERS.join(', ')}`;
  const works = (command: string, args: string[]) =>
    spawnSync(command, args, { stdio: 'ignore', env: plainEnvironment() }).status === 0;
  if (!works('nvidia-smi', ['--list-gpus'])) return 'no nvidia-smi that works';
  const bindings = 'try:\n from cuda.bindings import driver\nexcept ImportError:\n from cuda import cuda';
  if (!works('python3', ['-c', bindings])) return 'no python3 with cuda-bindings';
  return false;
}

/** A test that needs the GPU: skipped, with the reason, where something for it is missing. */
export function gpuTest(name: string, body: (t: Test) => Promise<void>): void {
  t.setTimeout(TIMEOUT_MS);
  t.test(name, { skip: missing(), timeout: TIMEOUT_MS }, body);
}

/** The driver under test is the GPU's; there need not be another on such a machine. */
export function useGpu(): void {
  const driver = nvidiaDriver();
  if (driver) process.env.VKMEMD_TEST_DRIVER = driver;
}

/** A daemon on the GPU. */
export function startOnGpu(t: Test, options: DaemonOptions = {}): Promise<TestDaemon> {
  useGpu();
  return startDaemon(t, options);
}

/** The daemon's device. */
export async function deviceOf(runtimeDir: string): Promise<Decoded<'Device'>> {
  const control = new ControlWire(runtimeDir);
  const { devices } = await control.call('ListDevices', {});
  control.close();
  const [device] = devices;
  if (!device) throw new Error('the daemon has no device');
  return device;
}

/** Bytes that the device's own largest heap can still give, or as many as a test may take. */
export async function availableBytes(control: ControlWire): Promise<number> {
  const { devices } = await control.call('ListDevices', {});
  const { heaps } = await control.budget();
  const own = (devices[0]?.heaps ?? []).filter(({ flags }) => flags & DEVICE_LOCAL).map(({ index }) => index);
  const free = heaps
    .filter(({ heapIndex }) => own.includes(heapIndex))
    .map((heap) => Number(heap.availableBytes));
  return Math.min(Math.max(...free), Number(process.env.VKMEMD_TEST_GPU_MIB ?? Infinity) * MIB);
}

/**
 * As many bytes as wanted; where they would take more than a share of 0.8 of what is available, the largest
 * power of two that does not, and a word about it.
 */
export function fitting(t: Test, wanted: number, available: number): number {
  const share = available * 0.8;
  if (wanted <= share) return wanted;
  const size = 2 ** Math.floor(Math.log2(share));
  t.comment(`only ${available / GIB} GiB are available: ${size / GIB} GiB instead of ${wanted / GIB}`);
  return size;
}

/** Prints one figure. */
export function figure(t: Test, name: string, value: number | string, unit = ''): void {
  const shown = typeof value === 'string' || Number.isInteger(value) ? value : Number(value.toPrecision(4));
  t.comment(`figure: ${name} ${shown} ${unit}`.trimEnd());
}

/** Does something, and tells how long it took. */
export async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const begun = performance.now();
  const result = await work();
  return { result, ms: performance.now() - begun };
}

/** Bytes of the GPU's memory that are in use by anybody, in whole MiB, as nvidia-smi says. */
export function usedBytes(deviceUuid: Uint8Array): number {
  const query = ['--query-gpu=memory.used', '--format=csv,noheader,nounits'];
  const said = execFileSync('nvidia-smi', [`--id=GPU-${uuidText(deviceUuid)}`, ...query], {
    encoding: 'utf8',
  });
  const used = Number(said.trim());
  if (!Number.isInteger(used)) throw new Error(`nvidia-smi says: ${said}`);
  return used * MIB;
}

/** Waits until `met`, up to 10 s; whether it came to that. */
export async function until(met: () => boolean | Promise<boolean>): Promise<boolean> {
  const end = Date.now() + 10_000;
  while (!(await met())) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return true;
}

/** The index of the first word that is not the expected one; -1 where all are. */
export function firstWrong(words: Uint32Array, expected: number): number {
  for (let at = 0; at < words.length; at += 1) if (words[at] !== expected) return at;
  return -1;
}
