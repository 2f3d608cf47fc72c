/**
 * What the core lets a front do in the name of a caller, whatever it sends: what that caller may do itself by
 * the socket that it is connected to, and nothing else.
 */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { decode, encode, REQUESTS, type RequestName, requestRow } from '@vkmemd/proto';
import t from 'tap';
import { ANYBODY, plainEnvironment, plainNode } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';
import { Play, type PlayedCaller } from './played.js';
import { until } from './support.js';

const names = Object.keys(REQUESTS) as RequestName[];
const kinds = ['KIND_MAPPABLE'] as const;
const SMALL = encode('AllocateRequest', { sizeBytes: 4096n, name: 'of-a-front', kinds });

t.setTimeout(120_000);

t.test('requests of the handoff socket are not served on the link', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const { number } = await play.connect();
  const handoffOnly = names.filter((name) => requestRow(name).method === undefined);
  for (const name of ['Claim', 'Hello', 'Import', 'Release'])
    t.ok(handoffOnly.includes(name as RequestName), name);
  for (const name of handoffOnly)
    t.equal(await front.outcome(front.call(number, name)), 'NOT_PERMITTED', name);
  for (const name of ['', 'Nothing', 'constructor', '__proto__', 'toString']) {
    t.equal(await front.outcome(front.call(number, name)), 'METHOD_UNKNOWN', `no request: ${name}`);
  }
  t.equal(
    await front.outcome(front.call(number, 'GetBudget', { request: Buffer.from('\xff\xff') })),
    'PROTOCOL_ERROR',
  );
  await play.end();
});

t.test('the admin socket changes nothing', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const { number } = await play.connect('ADMIN');
  for (const name of names) {
    const { shape, repeat } = requestRow(name);
    if (shape === 'unary' && repeat === 'free') continue;
    t.equal(await front.outcome(front.call(number, name)), 'NOT_PERMITTED', name);
  }
  t.equal(await front.outcome(front.call(number, 'ListSessions')), 'served', 'it shows all to an operator');
  await play.end();
});

t.test('a TCP connection has three open requests, and no session', async (t) => {
  const play = await Play.begin(t, { adminListen: ['127.0.0.1:0'] });
  const { front } = play;
  const wire = await HandoffWire.open(play.runtimeDir);
  const client = connect(Number(play.tcp?.split(':')[1]), '127.0.0.1');
  await until('the caller', () => front.callers.length > 0);
  const { number } = front.callers[0] as PlayedCaller;
  const open = ['GetHealth', 'GetMetrics', 'GetStatus'];
  for (const sessionToken of ['', wire.welcome.sessionToken]) {
    for (const name of names) {
      const outcome = await front.outcome(front.call(number, name, { sessionToken }));
      t.equal(outcome, open.includes(name) ? 'served' : 'NOT_PERMITTED', name);
    }
  }
  client.destroy();
  wire.close();
  await play.end();
});

t.test('a caller that is no operator stays one', { skip: noOtherUser ?? false }, async (t) => {
  const play = await Play.begin(t, { policy: ANYBODY });
  const { front, runtimeDir } = play;
  openToOthers(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  const { allocate } = (await wire.ask({ allocate: { sizeBytes: 4096n, kinds, name: 'of-root' } })).message;
  const id = allocate?.allocation?.id ?? '';
  const mine = await play.connect();
  const program = fileURLToPath(new URL('programs/connected.js', import.meta.url));
  const child = spawn(...plainNode([program, runtimeDir]), {
    uid: OTHER_UID,
    gid: OTHER_UID,
    env: plainEnvironment(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await child.stdout.take(1).toArray()) as Buffer[];
  const { token } = JSON.parse(String(line)) as { token: string };
  await until('the caller', () => front.callers.length === 2);
  const { number } = front.callers[1] as PlayedCaller;
  const outcome = (method: string, request: Uint8Array = Buffer.alloc(0), sessionToken = '') =>
    front.outcome(front.call(number, method, { request, sessionToken }));

  for (const name of ['ReloadPolicy', 'SetQuota', 'ListSessions', 'ListQuotas'] as const) {
    const request = name === 'SetQuota' ? encode('SetQuotaRequest', { uid: OTHER_UID }) : undefined;
    t.equal(await outcome(name, request), 'NOT_PERMITTED', name);
  }
  const listed = front.call(number, 'ListAllocations');
  const { allocations } = decode('ListAllocationsResponse', (await front.lastOf(listed)).response);
  t.strictSame(allocations, [], 'it sees no allocation of another user');
  t.match(
    await outcome('GetAllocation', encode('GetAllocationRequest', { allocation: { id } })),
    /NOT_FOUND|NOT_PERMITTED/,
  );
  t.match(
    await outcome('Free', encode('FreeAllocationRequest', { allocation: { id } })),
    /NOT_FOUND|NOT_PERMITTED/,
  );
  const ofRoot = wire.welcome.sessionToken;
  t.equal(
    await outcome('GetBudget', Buffer.alloc(0), ofRoot),
    'SESSION_INVALID',
    'the token of another user',
  );
  t.equal(await outcome('GetBudget', Buffer.alloc(0), token), 'served', 'its own');
  const asMine = front.call(mine.number, 'GetBudget', { sessionToken: token });
  t.equal(await front.outcome(asMine), 'SESSION_INVALID', 'nor has an operator the sessions of others');

  // What is left to a front that was taken over.
  t.equal(
    await front.outcome(front.call(mine.number, 'ListSessions')),
    'served',
    'it acts as a connected operator',
  );
  const made = front.call(mine.number, 'Allocate', { request: SMALL, sessionToken: ofRoot });
  t.equal(await front.outcome(made), 'served', 'and as a session whose token has passed');
  const free = encode('FreeAllocationRequest', { allocation: { name: 'of-a-front' } });
  t.equal(await front.outcome(front.call(mine.number, 'Free', { request: free })), 'served');
  front.hangUp(mine);
  const after = front.call(mine.number, 'ListSessions');
  t.equal(await outcome('GetBudget'), 'served');
  t.strictSame(front.answersOf(after), [], 'until the connection ends');
  await wire.ask({ free: { allocation: { id } } });
  wire.close();
  child.stdin.end();
  await play.end();
});
