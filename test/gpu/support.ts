/**
 * Shared by the tests on an NVIDIA GPU: whether one is available, daemons on it, sessions, and the output of
 * nvidia-smi.
 *
 * Figures are printed as `figure: NAME VALUE UNIT`, for docs/verified.md; none is asserted. On a GPU that
 * others use too, VKMEMD_TEST_GPU_MIB limits the memory that a test uses, and the output of nvidia-smi is
 * meaningless.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type Decoded, uuidText } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { type DaemonOptions, plainEnvironment, startDaemon, type TestDaemon } from '../support/daemon.js';

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

/** The tolerance for nvidia-smi, in bytes: the drivers' own use varies. */
export const SLACK = 64 * MIB;

const TIMEOUT_MS = 150_000;
const DEVICE_LOCAL = 0x1;
const ICD_FOLDERS = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/nvidia/share/vulkan/icd.d'];

/** The ICD manifest of NVIDIA's driver: $VKMEMD_TEST_DRIVER, or its usual path. */
function nvidiaDriver(): string | undefined {
  const usual = ICD_FOLDERS.map((folder) => `${folder}/nvidia_icd.json`);
  return process.env.VKMEMD_TEST_DRIVER ?? usual.find((file) => existsSync(file));
}

/** What these tests lack on this machine; false if nothing. */
function missing(): string | false {
  if (!nvidiaDriver()) return `no NVIDIA driver: no nvidia_icd.json in ${ICD_FOLDERS.join(', ')}`;
  const works = (command: string, args: string[]) =>
    spawnSync(command, args, { stdio: 'ignore', env: plainEnvironment() }).status === 0;
  if (!works('nvidia-smi', ['--list-gpus'])) return 'no nvidia-smi that works';
  const bindings = 'try:\n from cuda.bindings import driver\nexcept ImportError:\n from cuda import cuda';
  if (!works('python3', ['-c', bindings])) return 'no python3 with cuda-bindings';
  return false;
}

/** A test that needs the GPU: skipped with the reason where something is missing. */
export function gpuTest(name: string, body: (t: Test) => Promise<void>): void {
  t.setTimeout(TIMEOUT_MS);
  t.test(name, { skip: missing(), timeout: TIMEOUT_MS }, body);
}

/** The driver under test is the GPU's; such a machine need not have another. */
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

/** The bytes available on the largest device-local heap, at most what a test may use. */
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
 * The wanted bytes; if they exceed 0.8 of what is available, the largest power of two that does not, with a
 * comment.
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

/** Runs the work and measures its time. */
export async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const begun = performance.now();
  const result = await work();
  return { result, ms: performance.now() - begun };
}

/** Bytes of the GPU's memory that all processes use, in whole MiB, as nvidia-smi reports. */
export function usedBytes(deviceUuid: Uint8Array): number {
  const query = ['--query-gpu=memory.used', '--format=csv,noheader,nounits'];
  const said = execFileSync('nvidia-smi', [`--id=GPU-${uuidText(deviceUuid)}`, ...query], {
    encoding: 'utf8',
  });
  const used = Number(said.trim());
  if (!Number.isInteger(used)) throw new Error(`unexpected output of nvidia-smi: ${said}`);
  return used * MIB;
}

/** Waits up to 10 s until `met` holds. Resolves to whether it does. */
export async function until(met: () => boolean | Promise<boolean>): Promise<boolean> {
  const end = Date.now() + 10_000;
  while (!(await met())) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return true;
}

/** The index of the first word that differs from the expected one; -1 if none does. */
export function firstWrong(words: Uint32Array, expected: number): number {
  for (let at = 0; at < words.length; at += 1) if (words[at] !== expected) return at;
  return -1;
}
