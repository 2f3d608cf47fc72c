/** The account of bytes that the front holds: its limits, and whose calls are dropped when it is full. */
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectTo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  type handleBidiStreamingCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerInterceptingCall,
  type ServerMethodDefinition,
} from '@grpc/grpc-js';
import t from 'tap';
import { HeldBytes, MAX_BYTES as MAX, MAX_OF_TENANT } from 'vkmemd/dist/front/held-bytes.js';
import { temporaryFolder } from '../support/daemon.js';
import { framed } from '../support/raw-http2.js';
import { sleep, until } from './support.js';

const MIB = 1 << 20;
const PART = 256 * 1024;

/** A call of gRPC whose request arrives in parts, and whose answers stay in its stream. */
class PlayedCall {
  readonly stream = Object.assign(new EventEmitter(), {
    writableLength: 0,
    destroy: () => this.#end('destroyed'),
    close: () => this.#end('closed'),
  });
  readonly metadata: Metadata;
  readonly #tenant: string;
  /** How it ended. */
  ended: string | undefined;
  status: string | undefined;

  constructor(held: HeldBytes, tenant: string, metadata = new Metadata()) {
    this.#tenant = tenant;
    this.metadata = metadata;
    const unary = { requestStream: false } as ServerMethodDefinition<unknown, unknown>;
    held.interceptor(unary, this as unknown as ServerInterceptingCall);
  }

  getPeer(): string {
    return this.#tenant;
  }

  sendStatus({ details }: { readonly details: string }): void {
    this.status = details;
  }

  sendMessage(message: Buffer, sent: () => void): void {
    this.stream.writableLength += message.length;
    sent();
  }

  /** A part of its request arrives. */
  send(bytes: number): void {
    this.stream.emit('data', { length: bytes });
  }

  /** Its request is whole, and answered. */
  answer(bytes: number): void {
    this.stream.emit('end');
    this.sendMessage({ length: bytes } as Buffer, () => {});
  }

  #end(how: string): void {
    if (this.ended !== undefined) return;
    this.ended = how;
    this.stream.emit('close');
  }
}

/** Calls of one tenant that send requests, or leave answers, until so much is held for it or a call was refused. */
function hold(held: HeldBytes, tenant: string, bytes: number, what: 'send' | 'answer'): PlayedCall[] {
  const calls: PlayedCall[] = [];
  for (let sum = 0; sum < bytes && !calls.at(-1)?.ended; sum += PART) {
    const call = new PlayedCall(held, tenant);
    call[what](PART);
    calls.push(call);
  }
  return calls;
}

const ending = (calls: readonly PlayedCall[]) => calls.filter(({ ended }) => ended !== undefined);
const end = (calls: readonly PlayedCall[]) => {
  for (const { stream } of calls) stream.destroy();
};

t.test('no call is dropped for the answer of one that has ended', async (t) => {
  const held = new HeldBytes((address) => address);
  const others = ['a', 'b'].map((tenant) => hold(held, tenant, MAX, 'send'));
  const before = others.map((calls) => ending(calls).length);
  const gone = new PlayedCall(held, 'gone');
  gone.stream.destroy();
  gone.answer(MIB);
  t.same(
    others.map((calls) => ending(calls).length),
    before,
  );
  end(others.flat());
  t.equal(held.size, 0);
});

t.test('a message of a stream is served once the answer before it was taken', async (t) => {
  const held = new HeldBytes(() => 'tenant');
  const [MESSAGES, ANSWER, BIG] = [20, 8192, 60_000];
  const identity = (bytes: Buffer) => bytes;
  const codec = {
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
  const method = { path: '/test/Ask', requestStream: true, responseStream: true, ...codec };
  let served = 0;
  const ask: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    const answer = () => {
      served += 1;
      call.write(Buffer.alloc(ANSWER));
    };
    call.on('data', answer).on('end', () => call.end());
  };
  const server = new Server({ interceptors: [held.interceptor] });
  server.addService({ ask: method }, { ask });
  const address = join(temporaryFolder(t), 'socket');
  const bind = promisify(server.bindAsync.bind(server));
  await bind(`unix:${address}`, ServerCredentials.createInsecure());
  const createConnection = () => connectTo(address);
  const session = connect('http://test', { createConnection, settings: { initialWindowSize: 0 } });
  const headers = {
    ':method': 'POST',
    ':path': method.path,
    'content-type': 'application/grpc',
    te: 'trailers',
  };
  const stream = session.request(headers);
  stream.write(framed(Buffer.alloc(1)));
  stream.write(framed(Buffer.alloc(BIG)));
  for (let at = 2; at < MESSAGES; at += 1) stream.write(framed(Buffer.from([at])));
  await until('the first is served', () => served === 1);
  await sleep(200);
  t.equal(served, 1, 'the others wait');
  t.ok(held.size > ANSWER + BIG, `${held.size} bytes: the one that waits counts`);
  session.settings({ initialWindowSize: ANSWER + 100 });
  await until('one is served', () => served === 2);
  await sleep(200);
  t.equal(served, 2, 'one more, since one answer was taken');
  session.settings({ initialWindowSize: 2 * MESSAGES * ANSWER });
  stream.resume().end();
  await once(stream, 'close');
  t.equal(served, MESSAGES);
  await until('nothing is held', () => held.size === 0);
  session.destroy();
  server.forceShutdown();
});

t.test('calls of which only the headers arrive count', async (t) => {
  const held = new HeldBytes((address) => address);
  const metadata = new Metadata();
  for (let at = 0; at < 7; at += 1) metadata.set(`name-${at}`, 'x'.repeat(1000));
  const calls: PlayedCall[] = [];
  while (calls.length < 4096) {
    calls.push(new PlayedCall(held, 'one', metadata));
    await Promise.resolve();
  }
  t.ok(held.size <= MAX_OF_TENANT, `${held.size} bytes`);
  t.match(calls.at(-1)?.status, /sends more than/, 'the last ones are refused');
  t.equal(calls[0]?.ended, undefined, 'the first ones are not');
  end(calls);
  t.equal(held.size, 0);
});

for (const what of ['send', 'answer'] as const) {
  t.test(`one tenant has a part only (${what})`, async (t) => {
    const held = new HeldBytes((address) => address);
    const calls = hold(held, 'one', MAX, what);
    const [last] = ending(calls);
    t.match(last?.status, what === 'send' ? /sends more than/ : /leaves more answers unread/);
    t.ok(held.size <= MAX_OF_TENANT && held.size > MAX_OF_TENANT - 2 * PART, `${held.size} bytes`);
    end(calls);
    t.equal(held.size, 0);
  });

  t.test(`a tenant is served although others hold all (${what})`, async (t) => {
    const held = new HeldBytes((address) => address);
    const watch = new PlayedCall(held, 'a');
    watch.stream.emit('end'); // A stream that holds nothing.
    const others = ['a', 'b', 'c', 'd', 'e', 'f'].map((tenant) => hold(held, tenant, MAX, what));
    t.ok(held.size > MAX - MIB, 'it is full');
    const [most] = others as [PlayedCall[]];
    const ended = others.map((calls) => ending(calls).length);
    const small = new PlayedCall(held, 'small');
    small.send(PART);
    small.answer(PART);
    t.equal(small.ended, undefined, 'it is served');
    t.ok(held.size <= MAX, `${held.size} bytes`);
    const dropped = others.map((calls, at) => ending(calls).length - (ended[at] ?? 0));
    t.ok(dropped.reduce((sum, count) => sum + count) <= 3, `dropped of each: ${dropped}`);
    t.ok(most[0]?.ended, 'the oldest of the one that held most are dropped');
    t.equal(watch.ended, undefined, 'what holds nothing stays');
    end([...others.flat(), small, watch]);
    t.equal(held.size, 0);
  });
}
