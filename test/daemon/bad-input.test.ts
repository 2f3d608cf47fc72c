/**
 * Every kind of bad input, on both planes: each is rejected with its code from the catalogue, the same fault
 * with the same code, and changes nothing. startDaemon asserts at the end that the daemon still runs and
 * holds nothing.
 */
import { closeSync, openSync } from 'node:fs';
import {
  CATALOGUE,
  type Draft,
  type ErrorCode,
  encode,
  errorOf,
  OwnedFd,
  PROTOCOL_VERSION,
  VERSION_METADATA,
} from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { startInProcess as startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const MIB = 1024n * 1024n;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const MAPPABLE = { kinds: ['KIND_MAPPABLE'] } as const;

/** Requests that both planes accept, and the code of their error. */
const ALLOCATE_FAULTS: [string, Draft<'AllocateRequest'>, ErrorCode][] = [
  ['size 0', { ...MAPPABLE, sizeBytes: 0n }, 'INVALID_SIZE'],
  ['a negative size', { ...MAPPABLE, sizeBytes: -4096n }, 'INVALID_SIZE'],
  ['the most negative size', { ...MAPPABLE, sizeBytes: -(2n ** 63n) }, 'INVALID_SIZE'],
  ['a size above the heap', { ...MAPPABLE, sizeBytes: 1n << 50n }, 'SIZE_ABOVE_MAXIMUM'],
  ['the largest size of the type', { ...MAPPABLE, sizeBytes: 2n ** 63n - 1n }, 'SIZE_ABOVE_MAXIMUM'],
  ['no kind', { sizeBytes: MIB, kinds: [] }, 'KIND_NOT_REQUESTED'],
  ['the unspecified kind', { sizeBytes: MIB, kinds: ['KIND_UNSPECIFIED'] }, 'KIND_UNSUPPORTED'],
  ['an unknown kind', { sizeBytes: MIB, kinds: [99 as 4] }, 'KIND_UNSUPPORTED'],
  ['a kind that is not served here', { sizeBytes: MIB, kinds: ['KIND_RDMA_ADDRESS'] }, 'KIND_UNSUPPORTED'],
  [
    'kinds that exclude each other',
    { sizeBytes: MIB, kinds: ['KIND_MAPPABLE', 'KIND_RDMA_ADDRESS'] },
    'KINDS_EXCLUSIVE',
  ],
  ['a name with a slash', { ...MAPPABLE, sizeBytes: MIB, name: 'a/b' }, 'INVALID_NAME'],
  ['a name that is too long', { ...MAPPABLE, sizeBytes: MIB, name: 'n'.repeat(129) }, 'INVALID_NAME'],
  ['NAMED without a name', { ...MAPPABLE, sizeBytes: MIB, lifetime: 'LIFETIME_NAMED' }, 'INVALID_NAME'],
  [
    'SESSION with a name',
    { ...MAPPABLE, sizeBytes: MIB, lifetime: 'LIFETIME_SESSION', name: 'x' },
    'INVALID_NAME',
  ],
  ['an unknown lifetime', { ...MAPPABLE, sizeBytes: MIB, lifetime: 7 as 2 }, 'INVALID_ARGUMENT'],
  ['an unknown access', { ...MAPPABLE, sizeBytes: MIB, name: 'x', access: 9 as 2 }, 'INVALID_ARGUMENT'],
];

t.test('invalid Allocate requests are rejected with their code on both planes', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const handoff = await HandoffWire.open(runtimeDir);
  const control = ControlWire.withToken(runtimeDir, handoff.welcome.sessionToken);
  for (const [what, request, code] of ALLOCATE_FAULTS) {
    await t.rejects(handoff.ask({ allocate: request }), { code }, `${what}, on the handoff socket`);
    await t.rejects(control.call('Allocate', request), { code }, `${what}, by gRPC`);
  }
  handoff.close();
  control.close();
});

t.test('an allocation above the available budget fails with BUDGET_EXCEEDED', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const handoff = await HandoffWire.open(runtimeDir);
  const control = ControlWire.withToken(runtimeDir, handoff.welcome.sessionToken);
  const sample = await control.call('Allocate', { ...MAPPABLE, sizeBytes: 4096n });
  await control.call('FreeAllocation', { allocation: { id: sample.allocation?.id ?? '' } });
  const heap = (await control.budget()).heaps[sample.allocation?.heapIndex ?? 0];
  const request = { ...MAPPABLE, sizeBytes: (heap?.availableBytes ?? 0n) + 4096n };
  t.ok(heap && heap.availableBytes < heap.sizeBytes, "the available budget is less than the heap's size");
  await t.rejects(handoff.ask({ allocate: request }), { code: 'BUDGET_EXCEEDED' }, 'on the handoff socket');
  await t.rejects(control.call('Allocate', request), { code: 'BUDGET_EXCEEDED' }, 'by gRPC');
  handoff.close();
  control.close();
});

t.test('invalid or unknown names and ids are rejected with their code', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const handoff = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const named = { ...MAPPABLE, sizeBytes: 4096n, name: 'taken' };
  const { allocation } = await control.call('Allocate', named);
  await t.rejects(handoff.ask({ allocate: named }), { code: 'NAME_TAKEN' });
  await t.rejects(control.call('Allocate', named), { code: 'NAME_TAKEN' });

  for (const ref of [{ id: UNKNOWN }, { name: 'missing' }, { name: '4242/missing' }]) {
    const what = JSON.stringify(ref);
    const code = 'NOT_FOUND';
    await t.rejects(handoff.ask({ claim: { allocation: ref, ...MAPPABLE } }), { code }, `claim ${what}`);
    await t.rejects(handoff.ask({ free: { allocation: ref } }), { code }, `free ${what}`);
    await t.rejects(control.call('FreeAllocation', { allocation: ref }), { code }, `gRPC free ${what}`);
    await t.rejects(control.call('GetAllocation', { allocation: ref }), { code }, `gRPC get ${what}`);
    await t.rejects(control.call('Transfer', { fill: { allocation: ref } }), { code }, `gRPC fill ${what}`);
  }
  const none = { code: 'INVALID_ARGUMENT' };
  await t.rejects(handoff.ask({ claim: MAPPABLE }), none, 'a claim without an allocation');
  await t.rejects(handoff.ask({ free: {} }), none, 'a free without an allocation');
  await t.rejects(control.call('FreeAllocation', {}), none, 'a gRPC free without an allocation');
  await t.rejects(control.call('Transfer', {}), none, 'a transfer without an operation');
  await t.rejects(
    handoff.ask({ release: { grantId: 77n } }),
    { code: 'NOT_FOUND' },
    'a release of an unknown grant',
  );

  const ref = { id: allocation?.id ?? '' };
  const notAsked = { code: 'KIND_NOT_REQUESTED' };
  await t.rejects(handoff.ask({ claim: { allocation: ref, kinds: ['KIND_OPAQUE_FD'] } }), notAsked);
  await t.rejects(handoff.ask({ claim: { allocation: ref, kinds: [] } }), notAsked, 'a claim without kinds');
  const grantsMore = { ...MAPPABLE, sizeBytes: 4096n, grantKinds: ['KIND_OPAQUE_FD'] } as const;
  await t.rejects(
    handoff.ask({ allocate: grantsMore }),
    notAsked,
    'an Allocate that asks for grants of kinds that it does not allocate',
  );
  const byGrpc = { ...MAPPABLE, sizeBytes: 4096n, name: 'g', grantKinds: ['KIND_MAPPABLE'] } as const;
  await t.rejects(
    control.call('Allocate', byGrpc),
    { code: 'INVALID_ARGUMENT' },
    'a gRPC Allocate that asks for a grant, which needs an fd',
  );

  await control.call('FreeAllocation', { allocation: ref });
  await t.rejects(
    control.call('FreeAllocation', { allocation: ref }),
    { code: 'NOT_FOUND' },
    'a second free',
  );
  handoff.close();
  control.close();
});

t.test('long texts in error messages are truncated', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const handoff = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const long = { id: 'i'.repeat(40_000) };
  const name = '\u0001'.repeat(20_000);
  await t.rejects(handoff.ask({ claim: { allocation: long, ...MAPPABLE } }), { code: 'NOT_FOUND' });
  await t.rejects(handoff.ask({ allocate: { ...MAPPABLE, sizeBytes: 1n, name } }), { code: 'INVALID_NAME' });
  await t.rejects(control.call('GetAllocation', { allocation: long }), { code: 'NOT_FOUND' });
  await t.rejects(control.call('Allocate', { ...MAPPABLE, sizeBytes: 1n, name }), { code: 'INVALID_NAME' });
  handoff.close();
  control.close();
});

t.test('invalid transfer ranges are rejected', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  await control.call('Allocate', { ...MAPPABLE, sizeBytes: 8192n, name: 'r' });
  const allocation = { name: 'r' };
  const code = 'INVALID_RANGE';
  for (const [offsetBytes, sizeBytes] of [
    [-4n, 4n],
    [0n, -4n],
    [0n, 8196n],
    [8192n, 0n],
    [8192n, 4n],
    [2n, 4n],
    [0n, 6n],
    [2n ** 63n - 1n, 2n ** 63n - 1n],
  ] as const) {
    const fill = { allocation, offsetBytes, sizeBytes, pattern: 1 };
    await t.rejects(control.call('Transfer', { fill }), { code }, `fill ${sizeBytes} at ${offsetBytes}`);
  }
  const overlap = {
    source: allocation,
    destination: allocation,
    sizeBytes: 4096n,
    destinationOffsetBytes: 4095n,
  };
  await t.rejects(control.call('Transfer', { copy: overlap }), { code }, 'a copy with overlapping ranges');
  const beyond = {
    source: allocation,
    destination: allocation,
    sizeBytes: 4096n,
    destinationOffsetBytes: 4097n,
  };
  await t.rejects(control.call('Transfer', { copy: beyond }), { code }, 'a copy beyond the end');
  await control.call('FreeAllocation', { allocation });
  control.close();
});

t.test('invalid tokens and protocol versions are rejected', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const request = { ...MAPPABLE, sizeBytes: 4096n };
  const refuse = async (metadata: Record<string, string>, code: ErrorCode, what: string) => {
    const control = new ControlWire(runtimeDir, metadata);
    await t.rejects(control.call('Allocate', request), { code }, what);
    control.close();
  };
  await refuse({}, 'SESSION_REQUIRED', 'SESSION memory without a session');
  await refuse({ 'vkmem-session': 'nonsense' }, 'SESSION_INVALID', 'an invalid token');
  const wire = await HandoffWire.open(runtimeDir);
  const token = wire.welcome.sessionToken;
  await refuse(
    { 'vkmem-session': `${token}x` },
    'SESSION_INVALID',
    'a valid token with a character appended',
  );
  const stale = token.replace(/^[0-9a-f]{16}/, '0123456789abcdef');
  await refuse({ 'vkmem-session': stale }, 'STALE_INCARNATION', 'a token of another incarnation');
  await refuse({ [VERSION_METADATA]: '2' }, 'VERSION_UNSUPPORTED', 'an unsupported version, by gRPC');
  wire.close();
  await wire.closed;
  await refuse({ 'vkmem-session': token }, 'SESSION_INVALID', 'a token of a session that has ended');

  const other = new HandoffWire(runtimeDir);
  await t.rejects(
    other.ask({ hello: { protocolVersion: PROTOCOL_VERSION + 1 } }),
    { code: 'VERSION_UNSUPPORTED' },
    'an unsupported version, on the handoff socket',
  );
  await other.closed;
  t.pass('and the daemon closes the connection');
});

/** Protocol violations on the handoff socket: the daemon answers PROTOCOL_ERROR and closes the connection. */
const BREACHES: [string, (wire: HandoffWire) => void, 'before' | 'after'][] = [
  [
    'bytes that are not a message',
    (wire) => wire.connection.send(Buffer.from([0xff, 0xff, 0xff, 0xff])),
    'before',
  ],
  [
    'bytes that are not a message, after Hello',
    (wire) => wire.connection.send(Buffer.from([0xff, 0xff, 0xff, 0xff])),
    'after',
  ],
  ['no body', (wire) => wire.connection.send(encode('ClientMessage', { sequence: 9n })), 'before'],
  ['a message before Hello', (wire) => wire.send({ claim: MAPPABLE }), 'before'],
  ['Hello twice', (wire) => wire.send({ hello: { protocolVersion: PROTOCOL_VERSION } }), 'after'],
  ['a repeated sequence number', (wire) => wire.send({ sequence: 1n, claim: MAPPABLE }), 'after'],
  ['an fd_count without fds', (wire) => wire.send({ fdCount: 1, claim: MAPPABLE }), 'after'],
  [
    'fds with a message that carries none',
    (wire) => wire.send({ claim: MAPPABLE }, [nullFd(), nullFd()]),
    'after',
  ],
  ['fds before Hello', (wire) => wire.send({ hello: { protocolVersion: 1 } }, [nullFd()]), 'before'],
  ['a message above the size limit', (wire) => wire.connection.send(Buffer.alloc(65_537)), 'after'],
];

function nullFd(): OwnedFd {
  return new OwnedFd(openSync('/dev/null', 'r'), 'test');
}

t.test('a protocol violation is answered with PROTOCOL_ERROR and the connection is closed', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  for (const [what, breach, when] of BREACHES) {
    const wire = when === 'after' ? await HandoffWire.open(runtimeDir) : new HandoffWire(runtimeDir);
    breach(wire);
    const { message } = await wire.next();
    t.equal(message.error && errorOf(message.error).code, 'PROTOCOL_ERROR', what);
    t.strictSame(await wire.closed, [], `${what}: the daemon closes the connection`);
  }
  const control = new ControlWire(runtimeDir);
  const code = 'PROTOCOL_ERROR';
  await t.rejects(
    control.callRaw('Allocate', Buffer.from([0xff, 0xff, 0xff])),
    { code },
    'bytes that are not a message, by gRPC',
  );
  for (const size of [65_537, 1 << 20, 5 << 20]) {
    await t.rejects(control.callRaw('Allocate', Buffer.alloc(size)), { code }, `${size} bytes, by gRPC`);
  }
  control.close();
});

t.test('every code of the catalogue has a description and advice', async (t) => {
  for (const [code, { sentence, next }] of Object.entries(CATALOGUE)) {
    t.match(sentence, /^[A-Z].*\.$/, `${code} has a description`);
    t.match(next, /^[A-Z].*\.$/, `${code} has advice`);
  }
  closeSync(nullFd().take());
});
