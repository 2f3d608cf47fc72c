/** A refused client that sends and reads nothing: its connection is closed in the front, and its place is free then. */
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { CONTROL_SOCKET } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';
import { anotherFront, linksOf, sleep, until } from './support.js';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = Buffer.from('000000040000000000', 'hex');
const PING = Buffer.from('0000080600000000000102030405060708', 'hex');
/** Whose answers are more than a socket's buffers have room for; in parts, since HTTP/2 ends a connection with too many. */
const [PARTS, PINGS, PART_MS] = [60, 500, 15];
const CLIENTS = 6;
/** For a refusal, and for a last word. */
const MAX_MS = 3000;
const socketsOf = (front: number): number =>
  [...linksOf(front).values()].filter((link) => link.startsWith('socket:')).length;

/** A call without arguments: HEADERS with the fields literally, and an empty message. */
function call(path: string): Buffer {
  const literal = (text: string) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);
  const field = (name: string, value: string) => Buffer.concat([Buffer.of(0), literal(name), literal(value)]);
  const fields = Buffer.concat([
    field(':method', 'POST'),
    field(':scheme', 'http'),
    field(':path', path),
    field(':authority', 'localhost'),
    field('content-type', 'application/grpc'),
    field('te', 'trailers'),
  ]);
  const frame = (type: number, flags: number, payload: Buffer) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(1, 5);
    return Buffer.concat([head, payload]);
  };
  return Buffer.concat([frame(1, 4, fields), frame(0, 1, Buffer.alloc(5))]);
}

t.test('the front closes it', { timeout: 60_000 }, async (t) => {
  const policy =
    '[limits]\ncontrol_connections_per_user = 2\nhandshake_ms = 1000\n[[rule]]\nuid = 0\noperator = false\n';
  const daemon = await startDaemon(t, { policy });
  const { runtimeDir } = daemon;
  const front = await anotherFront(daemon);
  const served = [new ControlWire(runtimeDir), new ControlWire(runtimeDir)];
  for (const each of served) await each.budget();
  const before = socketsOf(front);
  const clients = Array.from({ length: CLIENTS }, (): Socket => {
    const client = connect(join(runtimeDir, CONTROL_SOCKET));
    client.on('error', () => {});
    client.pause();
    client.write(Buffer.concat([PREFACE, SETTINGS]));
    return client;
  });
  await until('they are connected', () => socketsOf(front) === before + CLIENTS);
  for (let part = 0; part < PARTS; part += 1) {
    for (const client of clients) client.write(Buffer.concat(Array.from({ length: PINGS }, () => PING)));
    await sleep(PART_MS);
  }
  for (const client of clients) client.write(call('/vkmem.v1.DeviceService/GetBudget'));
  await until('they are closed', () => socketsOf(front) === before, MAX_MS);
  t.pass('no connection is left in the front');
  for (const client of clients) client.destroy();
  t.equal(await anotherFront(daemon), front, 'it is the same front');
  for (const each of served) each.close();
  await until('their places are free', async () => {
    const control = new ControlWire(runtimeDir);
    const free = await control.budget().then(
      () => true,
      () => false,
    );
    control.close();
    return free;
  });
  await until('all are closed', () => socketsOf(front) <= before - served.length);
  await assertNoLeaks(t, runtimeDir);
});
