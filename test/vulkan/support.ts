/**
 * Shared by the tests of daemon/vulkan: a software driver, child processes with a driver of their own, and
 * counts.
 *
 * Importing this file selects lavapipe in the Vulkan loader before any device is opened, so that a test is
 * independent of the machine's GPU. `lavapipe` and `swiftshader` are undefined where the driver is not
 * installed; tests then skip with the reason.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type KindName, mapFd, type OwnedFd } from '@vkmemd/proto';
import type { Device, DeviceMemory, ExportedHandle, MemoryRequest } from 'vkmemd/dist/vulkan/device.js';

const ICD_FOLDER = '/usr/share/vulkan/icd.d';
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

function findLavapipe(): string | undefined {
  if (!existsSync(ICD_FOLDER)) return undefined;
  const name = readdirSync(ICD_FOLDER).find((file) => file.startsWith('lvp_icd') && file.endsWith('.json'));
  return name === undefined ? undefined : `${ICD_FOLDER}/${name}`;
}

export const lavapipe = findLavapipe();
export const swiftshader = existsSync(SWIFTSHADER) ? SWIFTSHADER : undefined;
if (lavapipe !== undefined) process.env.VK_DRIVER_FILES = lavapipe;

/** For tap's `skip`: false, or the reason. */
export const needsLavapipe = lavapipe === undefined ? `no lvp_icd*.json in ${ICD_FOLDER}` : false;
export const needsSwiftshader = swiftshader === undefined ? `no ${SWIFTSHADER}` : false;

/** The number of open fds of this process. */
export function openFds(): number {
  return readdirSync('/proc/self/fd').length;
}

/**
 * openFds(), once it is at most `before` or half a second has passed: a child's pipes may close with a delay.
 */
export async function settledFds(before: number): Promise<number> {
  for (let i = 0; i < 50 && openFds() > before; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  return openFds();
}

export interface ChildResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a compiled script of this folder under a driver; `fds` become the child's 3, 4, ... */
export function runScript(
  script: string,
  driver: string,
  args: readonly string[] = [],
  fds: readonly number[] = [],
): Promise<ChildResult> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], {
    env: { ...process.env, VK_DRIVER_FILES: driver },
    stdio: ['ignore', 'pipe', 'pipe', ...fds],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** Plans and allocates memory for kinds. */
export async function make(
  device: Device,
  size: bigint,
  kinds: readonly KindName[],
  more: Partial<MemoryRequest> = {},
): Promise<DeviceMemory> {
  return device.allocate(await device.plan({ ...more, kinds, size }), { name: 'test' });
}

/** The fd of a handle that has one. */
export function fdOf({ kind, fd }: ExportedHandle): OwnedFd {
  if (!fd) throw new Error(`${kind} has no fd`);
  return fd;
}

/** A copy of MAPPABLE memory's bytes, read as a client would: from a grant of its own, through mmap. */
export async function readMappable(memory: DeviceMemory): Promise<Buffer> {
  const handle = await memory.export('MAPPABLE', 'ro');
  const fd = fdOf(handle);
  const { mapOffset, mapSize } = handle;
  using mapping = mapFd(fd, { offset: mapOffset, length: Number(mapSize), access: 'ro' });
  fd.close();
  return Buffer.from(Buffer.from(mapping.buffer));
}

/** Runs `write` on a mapping of MAPPABLE memory, as a client would. */
export async function writeMappable(memory: DeviceMemory, write: (bytes: Buffer) => void): Promise<void> {
  const handle = await memory.export('MAPPABLE', 'rw');
  const fd = fdOf(handle);
  const { mapOffset, mapSize } = handle;
  using mapping = mapFd(fd, { offset: mapOffset, length: Number(mapSize), access: 'rw' });
  fd.close();
  write(Buffer.from(mapping.buffer));
}

/** The bytes of any memory, through a copy into MAPPABLE memory. */
export async function readAny(device: Device, memory: DeviceMemory): Promise<Buffer> {
  const staging = await make(device, memory.size, ['MAPPABLE']);
  try {
    await device.copy(memory, 0n, staging, 0n, memory.size);
    return await readMappable(staging);
  } finally {
    await dispose(staging);
  }
}

/** Frees memory completely. */
export async function dispose(...memories: DeviceMemory[]): Promise<void> {
  for (const memory of memories) {
    await memory.freeDevice();
    await memory.closeHandles();
  }
}
