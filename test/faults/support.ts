/**
 * A real daemon on a fake driver of its own (test/layer), for tests that let something go wrong: what is
 * asked of it and answered, and that in the end nothing is left of it, in the daemon, in the kernel and in
 * the driver.
 */
import { readdirSync } from 'node:fs';
import { type Decoded, type Draft, type KindName, mapFd, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, assertNoLeaks, startDaemon, type TestDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { HandoffWire } from '../support/handoff-wire.js';

export const PAGE = 4096n;
export const SIZE = 65_536n;

/** Kinds as the wire names them. */
export const wireKinds = (...kinds: readonly KindName[]) => kinds.map((kind) => `KIND_${kind}` as const);

/** What an Allocate or a Claim was answered with. The receiver owns the fds. */
export interface Granted {
  readonly wire: HandoffWire;
  readonly id: string;
  readonly allocation: Decoded<'Allocation'>;
  readonly grants: readonly Decoded<'Grant'>[];
  readonly fds: readonly OwnedFd[];
}

/** How many fds a process has open. */
export const fdsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Waits until something holds. @throws Error after 10 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 10_000; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`still not so: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What a request was refused with. @throws Error where it was served. */
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

  /** What is in memory of any kind: copied by the device, read through a mapping. */
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

/** Allocates, and is granted all kinds at once unless `grantKinds` says others. */
export async function allocate(wire: HandoffWire, request: Draft<'AllocateRequest'>): Promise<Granted> {
  const grantKinds = request.kinds ?? [];
  const { message, fds } = await wire.ask({ allocate: { grantKinds, ...request } });
  return granted(wire, message.allocate, fds);
}

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

/** The first fd's memory as a mapping, by what its grant says. */
export function mapped({ grants, fds }: Granted): ReturnType<typeof mapFd> {
  const [grant] = grants;
  const [fd] = fds;
  if (!grant || !fd) throw new Error('nothing was granted');
  return mapFd(fd, { offset: grant.mapOffsetBytes, length: Number(grant.mapSizeBytes), access: 'rw' });
}

/**
 * Closes what was granted, and frees the allocation; the session's grants of it go too. Its bytes must be
 * free then.
 */
export async function release({ wire, id, fds }: Pick<Granted, 'wire' | 'id' | 'fds'>): Promise<void> {
  for (const fd of fds) fd.close();
  // The pages of an unmapped buffer go back in the next turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  const { message } = await wire.ask({ free: { allocation: { id } } });
  if (!message.free?.freed) throw new Error(`${id} is still held`);
}

/** The report on one kind. */
export async function reportOn(host: FakeHost, kind: KindName): Promise<Decoded<'KindReport'>> {
  const { devices } = await host.control.call('ListDevices', {});
  const report = devices[0]?.kinds.find((found) => found.kind === `KIND_${kind}`);
  if (!report) throw new Error(`nothing is said of ${kind}`);
  return report;
}

/**
 * Loses the device, by a transfer that meets it.
 * @param lines the script's from then on.
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
 * Resolves when the daemon has its device again: every allocation was looked at, and new memory can be
 * filled.
 */
export async function stillServes(host: FakeHost): Promise<void> {
  const name = 'serves-again';
  const tried = () => host.control.call('Allocate', { sizeBytes: PAGE, kinds: wireKinds('OPAQUE_FD'), name });
  await until('the device is there again', async () => {
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

/** A daemon on a fake, which in the end must hold nothing, have no fd that it had not before, and go well. */
export async function onFake(
  t: Test,
  lines: readonly string[],
  use: (host: FakeHost) => Promise<void>,
  args: readonly string[] = [],
): Promise<void> {
  const layer = new FakeLayer(t, ...lines);
  const daemon = await startDaemon(t, { env: layer.environment, args, policy: ANYBODY });
  const host = new FakeHost(layer, daemon);
  // A first connection of each kind, and a first answer, before fds are counted.
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
  t.strictSame(layer.leaks(), [], 'the driver has everything back');
}
