/**
 * Every failure that the control socket answers has a code of the catalogue, also where gRPC's library refuses the call
 * below our code. The rest, which has none, is what docs/protocol.md lists.
 */
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, constants, type IncomingHttpHeaders } from 'node:http2';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { STATUS_METADATA, unpackStatus } from '@vkmemd/proto';
import t from 'tap';
import { assertNoLeaks, root, startInProcess } from '../support/daemon.js';
import { framed, rawSession } from '../support/raw-http2.js';

const BUDGET = '/vkmem.v1.DeviceService/GetBudget';
const WATCH = '/vkmem.v1.DeviceService/WatchBudget';
const GET = '/vkmem.v1.MemoryService/GetAllocation';
const HEALTH = '/grpc.health.v1.Health/Check';
const LARGE = 100 * 1024;

const EMPTY = framed(Buffer.alloc(0));
/** A tag with the wire type 7, which does not exist. */
const FIELD = Buffer.from([0x0f]);

const RESETS = new Map([
  [constants.NGHTTP2_REFUSED_STREAM, 'REFUSED_STREAM'],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, 'ENHANCE_YOUR_CALM'],
]);

interface Outcome {
  /** The code of the catalogue; else how the call ended without one. */
  readonly ended: string;
  readonly next?: string;
}

/** Makes a call without a gRPC library. */
function called(
  session: ClientHttp2Session,
  path: string,
  body: Buffer | undefined | 'unfinished',
  own: object,
): Promise<Outcome> {
  const plain = { 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request({ ':method': 'POST', ':path': path, ...plain, ...own });
  return new Promise((resolve) => {
    let seen: IncomingHttpHeaders = {};
    const note = (headers: IncomingHttpHeaders) => {
      seen = { ...seen, ...headers };
    };
    stream
      .on('response', note)
      .on('trailers', note)
      .on('error', () => {});
    stream.once('close', () => {
      const details = seen[STATUS_METADATA];
      if (typeof details === 'string') {
        const { code, grpc, next } = unpackStatus(Buffer.from(details, 'base64'));
        if (String(grpc) !== seen['grpc-status']) throw new Error(`${code} came with ${seen['grpc-status']}`);
        resolve({ ended: code, next });
      } else if (seen['grpc-status'] !== undefined) resolve({ ended: `status ${seen['grpc-status']}` });
      else if (seen[':status'] !== undefined) resolve({ ended: `HTTP ${seen[':status']}` });
      else {
        resolve({ ended: `RST_STREAM ${RESETS.get(stream.rstCode ?? 0) ?? stream.rstCode}` });
      }
    });
    stream.resume();
    if (body !== 'unfinished') stream.end(body);
  });
}

/** What is called, with which bytes and headers; and the code. */
const CODED: [string, string, Buffer | undefined, Record<string, string>, string][] = [
  ['a method of no service', '/vkmem.v2.Other/Get', EMPTY, {}, 'METHOD_UNKNOWN'],
  ['an unknown method', '/vkmem.v1.MemoryService/Other', EMPTY, {}, 'METHOD_UNKNOWN'],
  ['an unknown method, without a message', '/x', undefined, {}, 'METHOD_UNKNOWN'],
  ['a path with any characters', `/${'%20'.repeat(2000)}`, EMPTY, {}, 'METHOD_UNKNOWN'],
  ['a message above the maximum', BUDGET, framed(Buffer.alloc(LARGE)), {}, 'PROTOCOL_ERROR'],
  ['a stream request above it', WATCH, framed(Buffer.alloc(LARGE)), {}, 'PROTOCOL_ERROR'],
  [
    'above it once inflated',
    BUDGET,
    framed(gzipSync(Buffer.alloc(LARGE)), 1),
    { 'grpc-encoding': 'gzip' },
    'PROTOCOL_ERROR',
  ],
  ['no gzip', BUDGET, framed(Buffer.from('other'), 1), { 'grpc-encoding': 'gzip' }, 'PROTOCOL_ERROR'],
  [
    'an encoding that gRPC lacks',
    BUDGET,
    framed(Buffer.from('x'), 1),
    { 'grpc-encoding': 'br' },
    'PROTOCOL_ERROR',
  ],
  ['no message', BUDGET, undefined, {}, 'PROTOCOL_ERROR'],
  ['no message of a stream', WATCH, undefined, {}, 'PROTOCOL_ERROR'],
  ['two messages', BUDGET, Buffer.concat([EMPTY, EMPTY]), {}, 'PROTOCOL_ERROR'],
  ['two messages of a stream', WATCH, Buffer.concat([EMPTY, EMPTY]), {}, 'PROTOCOL_ERROR'],
  ['an invalid deadline', BUDGET, EMPTY, { 'grpc-timeout': 'soon' }, 'PROTOCOL_ERROR'],
  [
    'an invalid deadline of any length',
    BUDGET,
    EMPTY,
    { 'grpc-timeout': '%'.repeat(2000) },
    'PROTOCOL_ERROR',
  ],
  ['bytes that are no request', GET, framed(FIELD), {}, 'PROTOCOL_ERROR'],
  ['bytes that are no request of the health service', HEALTH, framed(FIELD), {}, 'PROTOCOL_ERROR'],
  ['a service without health', HEALTH, framed(Buffer.from([0x0a, 1, 0x41])), {}, 'NOT_FOUND'],
  ['another version', BUDGET, EMPTY, { 'vkmem-protocol-version': '9' }, 'VERSION_UNSUPPORTED'],
];

const MANY = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`x-${at}`, 'x']));

/** How a call ends without a code; and the words of the page. */
const CODELESS: [string, string, Buffer | undefined, Record<string, string>, string, string][] = [
  ['a deadline', WATCH, EMPTY, { 'grpc-timeout': '50m' }, 'status 4', '4 `DEADLINE_EXCEEDED`'],
  ['another content type', BUDGET, EMPTY, { 'content-type': 'text/plain' }, 'HTTP 415', 'HTTP status 415'],
  ['too many headers', BUDGET, EMPTY, MANY, 'RST_STREAM ENHANCE_YOUR_CALM', '`ENHANCE_YOUR_CALM`'],
];

t.test('failures with a code', async (t) => {
  const { runtimeDir } = await startInProcess(t);
  const session = rawSession(runtimeDir, 65_536);
  for (const [what, path, body, headers, code] of CODED) {
    const { ended, next = '' } = await called(session, path, body, headers);
    t.equal(ended, code, what);
    t.ok(next.length > 0, `${what}: ${next}`);
  }
  const deflated = framed(deflateSync(Buffer.alloc(0)), 1);
  const served = await called(session, BUDGET, deflated, { 'grpc-encoding': 'deflate' });
  t.equal(served.ended, 'status 0', 'the connection serves further calls');
  session.destroy();
  await assertNoLeaks(t, runtimeDir);
});

t.test('failures without one are those that the page lists', async (t) => {
  const page = readFileSync(join(root, 'docs/protocol.md'), 'utf8');
  const [, section = ''] = /^Failures without an `ErrorInfo`.*?\n\n(.*?)\n\n/ms.exec(page) ?? [];
  const listed = [...section.matchAll(/^\| (.*?) \|/gm)].map(([, words = '']) => words).slice(1);
  const { runtimeDir } = await startInProcess(t);
  for (const [what, path, body, headers, ended, words] of CODELESS) {
    const session = rawSession(runtimeDir, 65_536);
    session.on('error', () => {});
    t.strictSame(await called(session, path, body, headers), { ended }, what);
    t.ok(listed.includes(words), `${words} is in the table`);
    session.destroy();
  }
  // As a client that does not read SETTINGS: these are sent before they arrive.
  const session = rawSession(runtimeDir, 65_536);
  session.on('error', () => {});
  const many = Array.from({ length: 80 }, () => called(session, WATCH, 'unfinished', {}));
  t.strictSame(await Promise.race(many), { ended: 'RST_STREAM REFUSED_STREAM' }, 'more calls than the limit');
  session.destroy();
  await Promise.all(many);
  const ofLibraries = ['1 `CANCELLED`', '14 `UNAVAILABLE`'];
  const all = [...CODELESS.map(([, , , , , words]) => words), '`REFUSED_STREAM`', ...ofLibraries];
  t.strictSame([...listed].sort(), all.sort(), 'the page lists these, and no others');
  await assertNoLeaks(t, runtimeDir);
});
