/**
 * A real daemon on a fake driver of its own (test/layer), for tests of failures: requests and answers, and a
 * check at the end that the daemon, the kernel and the driver hold nothing of it.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Decoded, type Draft, type KindName, mapFd, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import {
  ANYBODY,
  assertNoLeaks,
  plainEnvironment,
  plainNode,
  startDaemon,
  type TestDaemon,
} from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { HandoffWire } from '../support/handoff-wire.js';

export const PAGE = 4096n;
export const SIZE = 65_536n;

/** Kinds as the wire names them. */
export const wireKinds = (...kinds: readonly KindName[]) => kinds.map((kind) => `KIND_${kind}` as const);

/** The answer to an Allocate or a Claim. The receiver owns the fds. */
export interface Granted {
  readonly wire: HandoffWire;
  readonly id: string;
  readonly allocation: Decoded<'Allocation'>;
  readonly grants: readonly Decoded<'Grant'>[];
  readonly fds: readonly OwnedFd[];
}

/** The number of open fds of a process. */
export const fdsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Waits until the condition holds. @throws Error after 10 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 10_000; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The error of a request. @throws Error if it was served. */
export async function refusalOf(request: Promise<unknown>): Promise<VkmemError> {
  try {
    await request;
  } catch (failure) {
    if (failure instanceof VkmemError) return failure;
    throw failure;
  }
  throw new Error('the request was served');
}

export class FakeHost {
  readonly layer: FakeLayer;
  readonly daemon: TestDaemon;
  readonly control: ControlWire;
  readonly #sessions: HandoffWire[] = [];

  constructor(layer: FakeLayer, daemon: TestDaemon) {
    this.layer = layer;
    this.daemon = daemon;
    this.control = new ControlWire(daemon.runtimeDir);
  }

  get runtimeDir(): string {
    return this.daemon.runtimeDir;
  }

  /** A new session, closed at the end. */
  async session(): Promise<HandoffWire> {
    const wire = await HandoffWire.open(this.runtimeDir);
    this.#sessions.push(wire);
    return wire;
  }

  fill(id: string, pattern: number): Promise<unknown> {
    return this.control.call('Transfer', { fill: { allocation: { id }, pattern } });
  }

  free(allocation: { id: string } | { name: string }): Promise<unknown> {
    return this.control.call('FreeAllocation', { allocation });
  }

  /** The bytes of memory of any kind: copied by the device, read through a mapping. */
  async bytesOf(wire: HandoffWire, id: string, sizeBytes: bigint): Promise<Buffer> {
    const seen = await allocate(wire, { sizeBytes, kinds: wireKinds('MAPPABLE') });
    const copy = { source: { id }, destination: { id: seen.id }, sizeBytes };
    await this.control.call('Transfer', { copy });
    const view = mapped(seen);
    const bytes = Buffer.from(Buffer.from(view.buffer, 0, Number(sizeBytes)));
    view.unmap();
    await release(seen);
    return bytes;
  }

  close(): void {
    for (const wire of this.#sessions) wire.close();
    this.control.close();
  }
}

/** Allocates, with grants of all kinds unless `grantKinds` names others. */
export async function allocate(wire: HandoffWire, request: Draft<'AllocateRequest'>): Promise<Granted> {
  const grantKinds = request.kinds ?? [];
  const { message, fds } = await wire.ask({ allocate: { grantKinds, ...request } });
  return granted(wire, message.allocate, fds);
}

/** The result of an importer in another process that gets only the fields of the grant. */
export async function importElsewhere(
  { layer }: Pick<FakeHost, 'layer'>,
  { grants, fds }: Pick<Granted, 'grants' | 'fds'>,
): Promise<unknown> {
  const program = fileURLToPath(new URL('./importer.js', import.meta.url));
  const { allocationSizeBytes, memoryTypeIndex, dedicated, buffer, image } = grants[0] as Decoded<'Grant'>;
  const reported = {
    size: String(allocationSizeBytes),
    memoryTypeIndex,
    dedicated,
    bufferUsage: buffer?.usage,
    image: image?.description,
  };
  const child = spawn(...plainNode([program, JSON.stringify(reported)]), {
    env: { ...plainEnvironment(), ...layer.environment },
    stdio: ['ignore', 'pipe', 'inherit', fds[0]?.fd],
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the importer ended with ${code}`);
  return JSON.parse(output);
}

/** The hash of so many equal bytes. */
export const sha256 = (size: bigint, byte: number): string =>
  createHash('sha256')
    .update(Buffer.alloc(Number(size), byte))
    .digest('hex');

export async function claim(wire: HandoffWire, id: string, ...kinds: readonly KindName[]): Promise<Granted> {
  const { message, fds } = await wire.ask({ claim: { allocation: { id }, kinds: wireKinds(...kinds) } });
  return granted(wire, message.claim, fds);
}

function granted(
  wire: HandoffWire,
  answer: Pick<Decoded<'AllocateResponse'>, 'allocation' | 'grants'> | undefined | null,
  fds: readonly OwnedFd[],
): Granted {
  const { allocation, grants = [] } = answer ?? {};
  if (!allocation) throw new Error('the answer has no allocation');
  return { wire, id: allocation.id, allocation, grants, fds };
}

/** Maps the memory of the first fd, as its grant describes it. */
export function mapped({ grants, fds }: Granted): ReturnType<typeof mapFd> {
  const [grant] = grants;
  const [fd] = fds;
  if (!grant || !fd) throw new Error('nothing was granted');
  return mapFd(fd, { offset: grant.mapOffsetBytes, length: Number(grant.mapSizeBytes), access: 'rw' });
}

/**
 * Closes the granted fds and frees the allocation, which drops the session's grants. Its bytes must be free
 * afterwards.
 */
export async function release({ wire, id, fds }: Pick<Granted, 'wire' | 'id' | 'fds'>): Promise<void> {
  for (const fd of fds) fd.close();
  // The pages of an unmapped buffer are released in the next turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  const { message } = await wire.ask({ free: { allocation: { id } } });
  if (!message.free?.freed) throw new Error(`${id} is still held`);
}

/** The report on one kind. */
export async function reportOn(host: FakeHost, kind: KindName): Promise<Decoded<'KindReport'>> {
  const { devices } = await host.control.call('ListDevices', {});
  const report = devices[0]?.kinds.find((found) => found.kind === `KIND_${kind}`);
  if (!report) throw new Error(`there is no report on ${kind}`);
  return report;
}

/**
 * Loses the device by a transfer that fails.
 * @param lines of the script from then on.
 */
export async function loseDevice(host: FakeHost, ...lines: readonly string[]): Promise<void> {
  const wire = await HandoffWire.open(host.runtimeDir);
  const { id } = await allocate(wire, { sizeBytes: PAGE, kinds: wireKinds('OPAQUE_FD'), grantKinds: [] });
  host.layer.script(...lines, 'fail vkQueueSubmit 1 VK_ERROR_DEVICE_LOST');
  const { code } = await refusalOf(host.fill(id, 1));
  if (code !== 'DEVICE_LOST') throw new Error(`the transfer was refused with ${code}`);
  wire.close();
}

/**
 * Resolves when the daemon has its device again: every allocation was checked, and new memory can be filled.
 */
export async function stillServes(host: FakeHost): Promise<void> {
  const name = 'serves-again';
  const tried = () => host.control.call('Allocate', { sizeBytes: PAGE, kinds: wireKinds('OPAQUE_FD'), name });
  await until('the device is available again', async () => {
    const log = host.daemon.log();
    if (log.lastIndexOf('the device serves again') < log.lastIndexOf('the device is lost')) return false;
    return tried().then(
      () => true,
      (failure) => {
        if (failure instanceof VkmemError && failure.code === 'DEVICE_LOST') return false;
        throw failure;
      },
    );
  });
  await host.free({ name });
}

/**
 * Runs a test with a daemon on a fake. At the end the daemon must hold nothing, have no additional fd, and
 * exit without an error.
 */
export async function onFake(
  t: Test,
  lines: readonly string[],
  use: (host: FakeHost) => Promise<void>,
  args: readonly string[] = [],
): Promise<void> {
  const layer = new FakeLayer(t, ...lines);
  const daemon = await startDaemon(t, { env: layer.environment, args, policy: ANYBODY });
  const host = new FakeHost(layer, daemon);
  // One connection of each kind and one answer, before the fds are counted.
  const first = await HandoffWire.open(daemon.runtimeDir);
  const control = new ControlWire(daemon.runtimeDir);
  await control.budget();
  first.close();
  control.close();
  await assertNoLeaks(t, daemon.runtimeDir);
  const before = fdsOf(daemon.pid);
  try {
    await use(host);
  } finally {
    host.close();
  }
  await assertNoLeaks(t, daemon.runtimeDir);
  await t.resolves(
    until(`${fdsOf(daemon.pid)} fds, ${before} before`, () => fdsOf(daemon.pid) <= before),
    'the daemon has no more fds than before',
  );
  t.strictSame(await daemon.stop(), { code: 0, signal: null });
  t.strictSame(layer.leaks(), [], 'the driver has no objects left');
}
