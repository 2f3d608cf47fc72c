/**
 * The limits of the admin plane: connections, time, requests. A refused client gets an error, other clients
 * are served meanwhile, and at the end no resource remains.
 */
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { ANYBODY, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { adminSocket, get, scrape } from './support.js';

const REQUEST = 'GET /healthz HTTP/1.1\r\nHost: any\r\n\r\n';
const OPERATORS = 16;
const REFUSALS = 8;

const open = (runtimeDir: string): Socket =>
  connect({ path: adminSocket(runtimeDir), allowHalfOpen: true })
    .setEncoding('utf8')
    .on('error', () => {});

/** Everything that the daemon sends until it closes the connection. */
async function rest(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (part: string) => {
    text += part;
  });
  // Only the daemon's end of the connection matters.
  socket.once('end', () => socket.destroy());
  // Not by once() of node:events, which also rejects on an error: the kernel reports ECONNRESET if the daemon
  // closed the connection before it read all.
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

/** Sends a request and reads its answer, which has a JSON body. */
async function ask(socket: Socket): Promise<string> {
  socket.write(REQUEST);
  let text = '';
  while (!text.includes('}')) text += await new Promise<string>((resolve) => socket.once('data', resolve));
  return text;
}

t.test('the number of admin connections of a user is limited', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: `[limits]\nhandshake_ms = 60000\n${ANYBODY}` });
  const retained = Array.from({ length: OPERATORS }, () => open(runtimeDir));
  for (const socket of retained) t.match(await ask(socket), /^HTTP\/1\.1 200 /);
  const over = open(runtimeDir);
  over.write(REQUEST);
  const reported = await rest(over);
  t.match(reported, /^HTTP\/1\.1 429 Too Many Requests\r\n/);
  t.match(reported, /connection: close\r\n/i);
  t.match(reported, '"code":"TOO_MANY_SESSIONS"');
  // Of the connections that send nothing, as many as there are places for refusals may stay for a while, be it
  // the first ones or, if the place of the connection above becomes free meanwhile, later ones.
  const silent = Array.from({ length: 30 }, () => open(runtimeDir));
  const ended: string[] = [];
  const reading = silent.map((socket) => rest(socket).then((text) => ended.push(text)));
  for (let waited = 0; waited < 300 && ended.length < 30 - REFUSALS; waited += 1) await sleep(100);
  t.ok(ended.length >= 30 - REFUSALS, 'the others are closed');
  t.strictSame(new Set(ended), new Set(['']), 'without an answer');
  const wire = await HandoffWire.open(runtimeDir);
  wire.close();
  t.match(await ask(retained[0] as Socket), /^HTTP\/1\.1 200 /, 'an established connection is still served');
  for (const socket of [...retained, ...silent]) socket.destroy();
  await Promise.all(reading);
  let leased = -1;
  for (let i = 0; i < 500 && leased !== 1; i += 1) {
    leased = await scrape(runtimeDir).then(
      (value) => value('vkmemd_fds_leased'),
      () => -1, // still refused
    );
  }
  t.equal(leased, 1, 'every fd is closed except that of this scrape');
});

t.test('sending bytes slowly does not extend the time for a request', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: `[limits]\nhandshake_ms = 600\n${ANYBODY}` });
  const silent = open(runtimeDir);
  const slow = open(runtimeDir);
  const half = open(runtimeDir);
  const unread = open(runtimeDir).pause();
  half.write(REQUEST.slice(0, 20));
  unread.write(REQUEST);
  const dripping = setInterval(() => slow.write('x'), 50);
  t.teardown(() => clearInterval(dripping));
  slow.write('GET /healthz HTTP/1.1\r\nHost: ');
  t.strictSame(
    await Promise.all([rest(silent), rest(slow), rest(half)]),
    ['', '', ''],
    'closed after handshake_ms',
  );
  clearInterval(dripping);
  unread.destroy();
  t.equal((await get(runtimeDir, '/healthz')).status, 200, 'others are served');
});

t.test('requests above the rate limit are answered with 429', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const socket = open(runtimeDir);
  const last = REQUEST.replace('Host', 'Connection: close\r\nHost');
  socket.write(REQUEST.repeat(199) + last);
  const text = await rest(socket);
  const reported = [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status);
  t.equal(reported.length, 200, 'each is answered');
  const served = reported.filter((status) => status === '200').length;
  t.ok(served >= 100 && served < 200, `${served} of them with 200`);
  t.match(
    text,
    /HTTP\/1\.1 429 [^{]*retry-after: 1\r\n[^{]*{"code":"RATE_LIMITED"/,
    'the others with Retry-After',
  );
  t.equal((await get(runtimeDir, '/healthz')).status, 200);
});

t.test('a stopping daemon does not wait for idle admin connections', async (t) => {
  const { runtimeDir, stop } = await startDaemon(t, { unchecked: true });
  const idle = open(runtimeDir);
  await ask(idle);
  const silent = open(runtimeDir);
  const half = open(runtimeDir);
  half.write(REQUEST.slice(0, 20));
  await get(runtimeDir, '/metrics');
  const ends = [idle, silent, half].map(rest);
  t.strictSame(await stop(), { code: 0, signal: null });
  t.strictSame(await Promise.all(ends), ['', '', '']);
  t.notOk(existsSync(adminSocket(runtimeDir)), 'and removes its socket');
});
