/**
 * A victim: a correct client that uses the client library and measures the time of each request.
 *
 * It has one NAMED allocation all the time, whose bytes it claims and checks repeatedly, and allocates,
 * shares with itself, checks and frees others. New memory must read as zero, and every byte as it was
 * written; what it frees must be free at once, because no other process may have it. Between its requests it
 * sends the same kind of message to an idle process (programs/echo.ts): additional time there is caused by
 * the machine, and not by the daemon. It watches its allocations, and must receive no event of other users',
 * and the whole life of each of its own.
 *
 * Arguments: the runtime folder, a seed, the name of its memory, the codes that its requests may be refused with.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Client, connect, connectControl, type Memory, VkmemError } from '@vkmemd/client';
import { Connection, seqpacketPair } from '@vkmemd/proto';
import { Lives } from '../lives.js';
import {
  endUnheard,
  type FromVictim,
  listen,
  now,
  type Request,
  type Sample,
  send,
  type ToVictim,
} from '../messages.js';
import { Random } from '../random.js';
import { rest } from '../rest.js';

const NAMED_BYTES = 1 << 16;
const REPORT_MS = 200;
/** The maximum time without a front, on a busy machine. */
const AWAY_MS = 20_000;
const [runtimeDir = '', seed = '', name = '', expected = ''] = process.argv.slice(2);
const isExpected = (failure: unknown): boolean =>
  failure instanceof VkmemError && expected.split(',').includes(failure.code);
const say = (message: FromVictim): void => send(process.stdout, message);
const random = new Random(seed);
const written = random.fork('frames').bytes(NAMED_BYTES);
const samples: Sample[] = [];
const refused: Record<string, number> = {};
let verified = 0;
/** A call that is under way. */
let getting: Promise<void> | undefined;
let doing: ToVictim['do'] = 'pause';
/** Whether the harness waits for its pause. */
let asked = false;

/** The idle process, which answers datagrams of a few bytes. */
class Echo {
  readonly #connection: Connection;
  #answered: (() => void) | undefined;

  constructor() {
    const [mine, its] = seqpacketPair();
    const program = fileURLToPath(new URL('echo.js', import.meta.url));
    spawn(process.execPath, [program], { stdio: ['ignore', 'ignore', 'inherit', its.fd] }).unref();
    its.close();
    this.#connection = new Connection(mine, { message: () => this.#answered?.(), close: () => {} });
  }

  ping(): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      this.#answered = resolve;
    });
    this.#connection.send(Buffer.alloc(64));
    return answered;
  }

  close(): void {
    this.#connection.close();
  }
}

async function timed<T>(request: Request, work: () => Promise<T>): Promise<T> {
  const began = process.hrtime.bigint();
  const result = await work();
  samples.push([request, Number(began) / 1e6, Number(process.hrtime.bigint() - began) / 1000]);
  return result;
}

const unavailable = (why: string): void => say({ unavailable: now(), why });

/** A call that only reads, repeated while there is no front. */
async function byGrpc<T>(work: () => Promise<T>): Promise<T> {
  for (const end = now() + AWAY_MS; ; await rest(20)) {
    try {
      return await work();
    } catch (failure) {
      if (!(failure instanceof VkmemError) || failure.code !== 'UNAVAILABLE' || now() > end) throw failure;
      unavailable(failure.message);
    }
  }
}

function check(memory: Memory, expected: Buffer, what: string): void {
  const map = memory.map();
  const same = Buffer.from(map.buffer, map.bytes.byteOffset, map.length).equals(expected);
  map.unmap();
  verified += expected.length;
  if (!same) say({ breach: `${what} does not have the bytes that were written` });
}

async function write(memory: Memory, bytes: Buffer): Promise<void> {
  const map = memory.map();
  map.bytes.set(bytes);
  map.unmap();
}

/** Memory of this session only: allocated, written, read through another grant, freed. */
async function ownMemory(client: Client): Promise<void> {
  const bytes = random.bytes(16_384 * random.pick([1, 1, 1, 4]));
  const memory = await timed('allocate', () => client.allocate({ size: bytes.length }));
  check(memory, Buffer.alloc(bytes.length), 'new memory');
  await write(memory, bytes);
  const second = await timed('claim', () => client.claim({ id: memory.id }));
  check(second, bytes, 'SESSION memory');
  await timed('release', () => second.release());
  check(memory, bytes, 'SESSION memory');
  const { freed } = await timed('free', () => memory.free());
  if (!freed) say({ breach: 'freed memory is still held by a process' });
}

/** Uses the NAMED memory as a newly started process would. */
async function namedMemory(client: Client): Promise<void> {
  const frames = await timed('claim', () => client.claim({ name }, { access: 'ro' }));
  check(frames, written, 'NAMED memory');
  await timed('release', () => frames.release());
  // It does not delay the others: while there is no front, only gRPC waits.
  getting ??= getMemory(client)
    .catch(failed)
    .finally(() => {
      getting = undefined;
    });
}

async function getMemory(client: Client): Promise<void> {
  const { ownerUid } = await byGrpc(() => timed('get', () => client.get({ name })));
  if (ownerUid !== process.getuid?.()) say({ breach: `its memory is reported as user ${ownerUid}'s` });
}

/** Uses the NAMED memory through a ticket that is created for it. */
async function ticket(client: Client): Promise<void> {
  const { secret } = await timed('ticket', () =>
    client.createTicket({ name }, { forUid: process.getuid?.() ?? 0 }),
  );
  const frames = await timed('redeem', () => client.claim({ ticket: secret }));
  check(frames, written, 'memory by a ticket');
  await timed('release', () => frames.release());
}

async function work(client: Client, echo: Echo): Promise<void> {
  for (let round = 0; ; round += 1) {
    if (doing === 'end') return;
    if (doing === 'pause') {
      if (asked) say({ paused: true });
      asked = false;
      await rest(1);
      continue;
    }
    await timed('ping', () => echo.ping());
    try {
      await [namedMemory, ownMemory, ticket][round % 3]?.(client);
    } catch (failure) {
      if (!(failure instanceof VkmemError)) throw failure;
      refused[failure.code] = (refused[failure.code] ?? 0) + 1;
      if (!isExpected(failure)) say({ breach: `was refused: ${failure}` });
      await rest(10);
    }
    await rest(random.between(2, 5));
  }
}

function report(): void {
  if (samples.length > 0) say({ samples: samples.splice(0) });
}

async function main(): Promise<void> {
  // The end of its session by the daemon is a violation, which a reconnecting client would hide.
  const client = await connect({ runtimeDir, clientName: 'victim', reconnectMs: 0 });
  const control = connectControl({ runtimeDir, reconnectMs: AWAY_MS });
  const echo = new Echo();
  const frames = await client.allocate({ size: NAMED_BYTES, name });
  await write(frames, written);
  const timer = setInterval(report, REPORT_MS);
  const uid = process.getuid?.() ?? -1;
  const mine = await client.createTicket({ name }, { forUid: uid, uses: 1_000_000 });
  const anybodys = await client.createTicket({ name }, { uses: 1000 });
  await client.revokeTicket(anybodys.ticket.id);
  const watching = new Lives(uid, (what) => say({ breach: what })).watch(control, frames.id, unavailable);
  say({
    ready: {
      pid: process.pid,
      uid,
      name,
      id: frames.id,
      token: client.session.token,
      grantId: String(frames.grants[0]?.id ?? 0n),
      ticket: mine.secret,
      ticketId: mine.ticket.id,
      revoked: anybodys.secret,
    },
  });
  const working = work(client, echo);
  client.closed.then(() => {
    if (doing !== 'end') say({ breach: 'its session was ended by the daemon' });
  });
  await working;
  await getting;
  check(frames, written, 'NAMED memory');
  clearInterval(timer);
  report();
  await frames.free().catch((failure) => {
    if (!isExpected(failure)) throw failure;
  });
  await client.close();
  await watching;
  await control.close();
  echo.close();
  say({ ended: true, verified, refused });
}

/** No request of a victim may be refused; every other error is its own. */
function failed(failure: unknown): void {
  if (failure instanceof VkmemError) say({ breach: `was refused: ${failure}` });
  else say({ failed: failure instanceof Error ? (failure.stack ?? failure.message) : String(failure) });
}

endUnheard();
process.on('uncaughtException', failed);
void listen<ToVictim>(process.stdin, (message) => {
  doing = message.do;
  asked = doing === 'pause';
}).then(() => process.exit(1)); // The harness has ended.
await main().catch(failed);
process.exit(0);
