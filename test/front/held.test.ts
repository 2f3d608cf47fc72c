/**
 * Clients that leave what they asked for unread, or what they began unfinished, on every plane at once: the core and the
 * front hold little for them, the front stays, and others are served.
 */
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { MAX_MESSAGE_BYTES, serviceDefinition } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { framed, rawSession } from '../support/raw-http2.js';
import { asOtherUser, noOtherUser, openToOthers } from '../support/uid.js';
import { anotherFront, frontOf, procFile, sleep, until } from './support.js';

/** All users are tenants, this one too. */
const POLICY = '[[rule]]\nuid = 0\noperator = false\n[[rule]]\nconnect = true\nmax_sessions = 400\n';
const [CONNECTIONS, CALLS] = [18, 64];
const [SESSIONS, REFUSALS] = [200, 1500];
const [WARM_REQUESTS, WARM_LISTS] = [4000, 100];
const [LISTED, NAME_BYTES] = [400, 100];
const MIB = 1 << 20;
/** What the core may grow by, and the limit of the front's memory by default. */
const [MAX_GROWTH, FRONT_MEMORY] = [48 * MIB, 256 * MIB];
const kinds = ['KIND_MAPPABLE'] as const;
const method = (service: string, name: string) => serviceDefinition(service as 'MemoryService')[name]?.path;

/** Resident memory of a process, in bytes. */
const residentOf = (pid: number): number => Number(procFile(pid, 'statm').split(' ')[1]) * 4096;

function streamOf(session: ClientHttp2Session, path: string | undefined): ClientHttp2Stream {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  return session.request(headers).on('error', () => {});
}

/** Counts the answers of gRPC by their status. */
class Outcomes {
  readonly counts = new Map<string, number>();
  /** Streams that the front has ended. */
  closed = 0;

  watch(stream: ClientHttp2Stream): void {
    const count = (fields: { readonly 'grpc-status'?: unknown }): void => {
      const status = fields['grpc-status'];
      if (status === undefined) return;
      this.counts.set(String(status), (this.counts.get(String(status)) ?? 0) + 1);
    };
    stream.once('close', () => {
      this.closed += 1;
    });
    stream.on('response', count).on('trailers', count);
  }
}
/** Of gRPC. */
const UNAVAILABLE = '14';

interface Attack {
  readonly sessions: ClientHttp2Session[];
  readonly wires: HandoffWire[];
}

function connected(attack: Attack, runtimeDir: string, window: number): ClientHttp2Session {
  const session = rawSession(runtimeDir, window);
  session.on('error', () => {});
  attack.sessions.push(session);
  return session;
}

/** Requests that are sent but for their last bytes. */
function unfinished(attack: Attack, runtimeDir: string, outcomes: Outcomes): void {
  const most = framed(Buffer.alloc(MAX_MESSAGE_BYTES)).subarray(0, -1024);
  for (let connection = 0; connection < CONNECTIONS; connection += 1) {
    const session = connected(attack, runtimeDir, 65_535);
    for (let call = 0; call < CALLS; call += 1) {
      const stream = streamOf(session, method('DeviceService', 'GetBudget'));
      outcomes.watch(stream);
      stream.write(most);
    }
  }
}

/** Lists and reflection, of which no byte is read. */
function unread(attack: Attack, runtimeDir: string, outcomes: Outcomes): void {
  const page = Buffer.from([0x08, 0xf4, 0x03]); // page_size = 500
  for (let connection = 0; connection < CONNECTIONS; connection += 1) {
    const session = connected(attack, runtimeDir, 0);
    for (let call = 0; call < CALLS; call += 1) {
      const stream = streamOf(session, method('MemoryService', 'ListAllocations'));
      outcomes.watch(stream);
      stream.end(framed(page));
    }
  }
  let session = connected(attack, runtimeDir, 0);
  const symbol = Buffer.from('vkmem.v1.MemoryService');
  const asked = framed(Buffer.concat([Buffer.of(0x22, symbol.length), symbol]));
  const large = framed(Buffer.concat([Buffer.of(0x22, 0xe8, 0xfb, 0x03), Buffer.alloc(65_000, 'x')]));
  for (let call = 0; call < CONNECTIONS * CALLS; call += 1) {
    if (call % CALLS === 0) session = connected(attack, runtimeDir, 0);
    const stream = streamOf(session, '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
    stream.write(asked);
    // It waits until the answer to the first one is taken.
    stream.write(large);
    for (let question = 0; question < 20; question += 1) stream.write(asked);
  }
}

/** Sessions whose refusals are not read. */
async function refusals(attack: Attack, runtimeDir: string): Promise<void> {
  for (let at = 0; at < SESSIONS; at += 1) {
    const wire = await HandoffWire.open(runtimeDir);
    attack.wires.push(wire);
    wire.connection.pause();
  }
  for (const wire of attack.wires) {
    for (let at = 0; at < REFUSALS; at += 1) wire.send({ free: { allocation: { id: 'x'.repeat(36) } } });
  }
}

function end(attack: Attack): void {
  for (const session of attack.sessions) session.destroy();
  for (const wire of attack.wires) wire.close();
}

/** Makes a list of many bytes. @returns frees the allocations. */
async function fill(runtimeDir: string): Promise<() => Promise<void>> {
  const wire = await HandoffWire.open(runtimeDir);
  const names = Array.from({ length: LISTED }, (_, at) => `${at}-`.padEnd(NAME_BYTES, 'x'));
  for (const name of names) await wire.ask({ allocate: { sizeBytes: 4096n, kinds, name } });
  return async () => {
    for (const name of names) await wire.ask({ free: { allocation: { name } } });
    wire.close();
  };
}

/** Requests that are read: a program that has served nothing yet has a heap that is smaller than at rest later. */
async function warmUp(runtimeDir: string): Promise<void> {
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  for (let at = 0; at < WARM_REQUESTS; at += 1) {
    await wire.ask({ free: { allocation: { id: 'x'.repeat(36) } } }).catch(() => {});
  }
  for (let at = 0; at < WARM_LISTS; at += 1) await control.call('ListAllocations', { pageSize: 500 });
  wire.close();
  control.close();
}

/** Asserts that another tenant is served on both planes. */
async function assertOthersServed(t: Test, runtimeDir: string): Promise<void> {
  t.strictSame(await asOtherUser('attempt.js', [runtimeDir, 'control', '3']), ['served', 'served', 'served']);
  t.equal(await asOtherUser('attempt.js', [runtimeDir, 'handoff']), 'served');
}

t.test('what is not read or not finished', { timeout: 240_000, skip: noOtherUser ?? false }, async (t) => {
  const daemon = await startDaemon(t, { policy: POLICY });
  const { runtimeDir } = daemon;
  openToOthers(runtimeDir);
  const front = await anotherFront(daemon);
  const free = await fill(runtimeDir);
  await assertOthersServed(t, runtimeDir);
  await warmUp(runtimeDir);
  const idle = residentOf(daemon.pid);
  const attack: Attack = { sessions: [], wires: [] };
  const [requests, lists] = [new Outcomes(), new Outcomes()];
  let [core, gates] = [0, 0];
  const look = (): void => {
    core = Math.max(core, residentOf(daemon.pid) - idle);
    gates = Math.max(gates, residentOf(front));
  };
  const timer = setInterval(look, 20);
  unfinished(attack, runtimeDir, requests);
  unread(attack, runtimeDir, lists);
  await refusals(attack, runtimeDir);
  await until(
    'requests beyond the limit are refused',
    () => (requests.counts.get(UNAVAILABLE) ?? 0) > 0,
    60_000,
  );
  await assertOthersServed(t, runtimeDir);
  await sleep(1000);
  clearInterval(timer);
  look();
  t.ok(core < MAX_GROWTH, `the core grew by ${(core / MIB).toFixed(1)} MiB`);
  t.ok(gates < FRONT_MEMORY, `the front had ${(gates / MIB).toFixed(1)} MiB`);
  t.equal(frontOf(daemon), front, 'it is the same front');
  await until(
    'each request that stays unfinished is refused',
    () => (requests.counts.get(UNAVAILABLE) ?? 0) === CONNECTIONS * CALLS,
    60_000,
  );
  await until('answers that stay untaken end', () => lists.closed === CONNECTIONS * CALLS, 60_000);
  end(attack);
  await free();
  const control = new ControlWire(runtimeDir);
  const sessions = async () => (await control.call('GetStatus', {})).counts?.sessions;
  await until('their sessions have ended', async () => (await sessions()) === 0, 30_000);
  control.close();
  await assertNoLeaks(t, runtimeDir);
});
