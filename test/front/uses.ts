/**
 * Uses of the control and admin sockets, each of which is under way when the front is lost, and what must
 * become of it.
 */
import { get } from 'node:http';
import { join } from 'node:path';
import { type Client, connect, type VkmemError } from '@vkmemd/client';
import { ADMIN_SOCKET, encode } from '@vkmemd/proto';
import type { Test } from 'tap';
import { PART_BYTES } from 'vkmemd/dist/link/link.js';
import { ControlWire } from '../support/control-wire.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { sleep, until } from './support.js';

/** What is there for all uses. */
export interface Place {
  readonly t: Test;
  readonly runtimeDir: string;
  /** Its handoff connection is not that of the front. */
  readonly client: Client;
  /** A session of the handoff socket, for questions about the front. */
  readonly wire: HandoffWire;
  /** An allocation for transfers. */
  readonly large: string;
}

/** Begins it, and resolves when it is under way. `done` resolves some time after the front was lost. */
export type Use = (place: Place) => Promise<{ readonly done: Promise<void> }>;

/** A use that is under way as soon as it has begun. */
const atOnce =
  (work: (place: Place) => Promise<void>): Use =>
  async (place) => ({ done: work(place) });

const AT_ONCE = 4;
const GRPC_UNAVAILABLE = 14;
/** Of the allocations of `listed()`: more than a datagram of the link has. */
export const LISTED = 320;

const times = <T>(work: (index: number) => T): T[] =>
  Array.from({ length: AT_ONCE }, (_, index) => work(index));

/** A gRPC call without the client library: its answer, or UNAVAILABLE. */
async function answeredOrUnavailable(t: Test, call: Promise<unknown>): Promise<void> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (failure === undefined) return;
  const { code } = failure as { code?: unknown };
  if (code !== GRPC_UNAVAILABLE && code !== 'UNAVAILABLE') t.fail(`a call ended with ${failure}`);
}

const unary = atOnce(async ({ t, runtimeDir, client }) => {
  const control = new ControlWire(runtimeDir);
  // Calls that only read are repeated by the library.
  await Promise.all([
    ...times(() => answeredOrUnavailable(t, control.budget())),
    ...times(() => client.control.budget()),
  ]);
  control.close();
});

const list = atOnce(async ({ t, runtimeDir, client }) => {
  const control = new ControlWire(runtimeDir);
  const lists = await Promise.all(times(() => client.control.list()));
  for (const all of lists) t.equal(all.filter(({ name }) => name.startsWith('listed')).length, LISTED);
  await answeredOrUnavailable(t, control.call('ListAllocations', {}));
  control.close();
});

let sizes = 0;

/** An Allocate with a request id is repeated, and is one allocation. */
const allocate = atOnce(async ({ t, client }) => {
  sizes += 1;
  const size = (1000 + sizes) * 4096;
  const made = await Promise.all(times(() => client.control.allocate({ size })));
  const ids = new Set(made.map(({ id }) => id));
  t.equal(ids.size, AT_ONCE);
  const all = (await client.control.list()).filter(({ sizeBytes }) => sizeBytes === BigInt(size));
  t.strictSame(new Set(all.map(({ id }) => id)), ids, 'no allocation was made twice');
  for (const id of ids) await client.control.free({ id });
});

/** A Transfer is not repeated: the error says that its outcome is unknown. */
const transfer = atOnce(async ({ t, client, large }) => {
  const fill = { to: { id: large }, pattern: 7 };
  const results = await Promise.allSettled(times(() => client.control.transfer({ fill })));
  for (const result of results) {
    if (result.status === 'fulfilled') continue;
    const { code, metadata } = result.reason as VkmemError;
    t.match(
      { code, metadata },
      { code: 'UNAVAILABLE', metadata: { retryable: 'true', outcome: /^(unknown|not-done)$/ } },
    );
  }
});

const watchBudget: Use = async ({ t, client, runtimeDir, wire }) => {
  const before = await restartsOf(wire);
  const enough = new AbortController();
  let reports = 0;
  const watching = (async () => {
    for await (const _ of client.control.watchBudget({ signal: enough.signal })) reports += 1;
  })();
  await until('the watch begins', () => reports > 0);
  const done = async (): Promise<void> => {
    await until('the front was lost', async () => (await restartsOf(wire)) > before);
    const seen = reports;
    await until('the watch continues', () => reports > seen);
    // A change is reported too.
    const again = reports;
    const other = await HandoffWire.open(runtimeDir);
    await until('it reports a change', () => reports > again);
    other.close();
    enough.abort();
    await watching;
    t.pass('the budget watch has continued');
  };
  return { done: done() };
};

/** A watch of events ends: events may have been missed. */
const watchAllocations: Use = async ({ t, client }) => {
  let events = 0;
  const watching = (async () => {
    for await (const _ of client.control.watchAllocations({ existing: true })) events += 1;
  })();
  const done = t.rejects(watching, { code: 'UNAVAILABLE', message: /start a new watch/ });
  await until('the watch begins', () => events > LISTED);
  return { done: done.then(() => {}) };
};

/** The status of a page; undefined if the connection ended. */
const page = (runtimeDir: string, path: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    const request = get({ socketPath: join(runtimeDir, ADMIN_SOCKET), path, agent: false }, (response) => {
      response.resume().once('close', () => resolve(response.complete ? response.statusCode : undefined));
    });
    request.once('error', () => resolve(undefined));
  });

const admin = atOnce(async ({ t, runtimeDir }) => {
  const paths = ['/metrics', '/healthz', '/readyz', '/api/v1/allocations'];
  const during = await Promise.all(paths.map((path) => page(runtimeDir, path)));
  for (const status of during)
    if (status !== undefined && status !== 200) t.fail(`a page ended with ${status}`);
  await until('pages are back', async () => (await page(runtimeDir, '/metrics')) === 200, 30_000);
  for (const path of paths) t.equal(await page(runtimeDir, path), 200, path);
});

/** How often the front was started again. */
export const restartsOf = async (wire: HandoffWire): Promise<bigint> =>
  BigInt((await wire.ask({ getStatus: {} })).message.getStatus?.front?.restarts ?? -1);

export const isPresent = async (wire: HandoffWire): Promise<boolean> =>
  (await wire.ask({ getStatus: {} })).message.getStatus?.front?.present ?? false;

/** Connections that are made while there is no front are served by the next one. */
const backlog = atOnce(async ({ t, runtimeDir, wire }) => {
  await until('the front is away', async () => !(await isPresent(wire)));
  const controls = times(() => new ControlWire(runtimeDir));
  const asked = controls.map((control) => control.budget());
  const pages = times(() => page(runtimeDir, '/healthz'));
  t.notOk(await isPresent(wire), 'there is still none');
  await Promise.all(asked);
  t.strictSame(new Set(await Promise.all(pages)), new Set([200]));
  for (const control of controls) control.close();
});

const idle = atOnce(() => sleep(0));

export const USES = { unary, list, allocate, transfer, watchBudget, watchAllocations, admin, backlog, idle };
export type UseName = keyof typeof USES;

/** Opens what the uses need. Ended by `close()`. */
export async function openPlace(t: Test, runtimeDir: string): Promise<Place & { close(): Promise<void> }> {
  const client = await connect({ runtimeDir });
  const wire = await HandoffWire.open(runtimeDir);
  const large = await client.control.allocate({ size: 64 << 20 });
  const listed: string[] = [];
  for (let index = 0; index < LISTED; index += 1) {
    const name = `listed-${index}-${'x'.repeat(100)}`;
    listed.push((await client.control.allocate({ size: 4096, name })).id);
  }
  const close = async (): Promise<void> => {
    for (const id of [large.id, ...listed]) await client.control.free({ id });
    await client.close();
    wire.close();
  };
  const control = new ControlWire(runtimeDir);
  const bytes = encode('ListAllocationsResponse', await control.call('ListAllocations', { pageSize: 500 }));
  control.close();
  t.ok(bytes.length > PART_BYTES, `the list has ${bytes.length} bytes`);
  return { t, runtimeDir, client, wire, large: large.id, close };
}
