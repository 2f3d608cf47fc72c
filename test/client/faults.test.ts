/**
 * Every mistake that a program can make with the client: the client's own checks and the daemon report the
 * same code, and nothing is left allocated.
 */
import {
  type AllocateOptions,
  CATALOGUE,
  ControlClient,
  connectControl,
  type ErrorCode,
  type Ref,
  VkmemError,
} from '@vkmemd/client';
import t from 'tap';
import { startInProcess as startDaemon } from '../support/daemon.js';
import { connected, MIB } from './support.js';

/** Passes a value of any type, as JavaScript code can. */
const any = (value: unknown) => value as never;
const UNKNOWN = { id: '00000000-0000-4000-8000-000000000000' };

const ALLOCATE: [string, AllocateOptions, ErrorCode][] = [
  ['size 0', { size: 0 }, 'INVALID_SIZE'],
  ['a negative size', { size: -1n }, 'INVALID_SIZE'],
  ['a fractional size', { size: 1.5 }, 'INVALID_SIZE'],
  ['not a number', { size: Number.NaN }, 'INVALID_SIZE'],
  ['infinity', { size: Number.POSITIVE_INFINITY }, 'INVALID_SIZE'],
  ['a text', { size: any('4096') }, 'INVALID_SIZE'],
  ['no size', any({}), 'INVALID_SIZE'],
  ['2^63', { size: 2n ** 63n }, 'SIZE_ABOVE_MAXIMUM'],
  ['a number above 2^63', { size: 1e30 }, 'SIZE_ABOVE_MAXIMUM'],
  ['2^63 - 1', { size: 2n ** 63n - 1n }, 'SIZE_ABOVE_MAXIMUM'],
  ['2^50', { size: 2 ** 50 }, 'SIZE_ABOVE_MAXIMUM'],
  ['no kind', { size: MIB, kinds: [] }, 'KIND_NOT_REQUESTED'],
  ['kinds that are not a list', { size: MIB, kinds: any('MAPPABLE') }, 'KIND_NOT_REQUESTED'],
  ['a kind that does not exist', { size: MIB, kinds: any(['KIND_MAPPABLE']) }, 'KIND_UNSUPPORTED'],
  ['a kind that is not served here', { size: MIB, kinds: ['RDMA_ADDRESS'] }, 'KIND_UNSUPPORTED'],
  ['kinds that exclude each other', { size: MIB, kinds: ['MAPPABLE', 'RDMA_ADDRESS'] }, 'KINDS_EXCLUSIVE'],
  ['a name with a slash', { size: MIB, name: 'a/b' }, 'INVALID_NAME'],
  ['a name of 129 characters', { size: MIB, name: 'n'.repeat(129) }, 'INVALID_NAME'],
  ['a name of 100 000 characters', { size: MIB, name: 'n'.repeat(100_000) }, 'INVALID_NAME'],
  ['a number as name', { size: MIB, name: any(5) }, 'INVALID_NAME'],
  ['NAMED without a name', { size: MIB, lifetime: 'NAMED' }, 'INVALID_NAME'],
  ['SESSION with a name', { size: MIB, lifetime: 'SESSION', name: 'x' }, 'INVALID_NAME'],
  ['a lifetime that does not exist', { size: MIB, lifetime: any('FOREVER') }, 'INVALID_ARGUMENT'],
  ['an access that does not exist', { size: MIB, access: any('w') }, 'INVALID_ARGUMENT'],
];

t.test('invalid arguments of allocate() are rejected with the same code on both planes', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  await using control = new ControlClient({ runtimeDir }, client.session.token);
  for (const [what, options, code] of ALLOCATE) {
    await t.rejects(client.allocate(options), { code, name: 'VkmemError' }, what);
    await t.rejects(control.allocate(options), { code, name: 'VkmemError' }, `${what}, by gRPC`);
  }
  await t.rejects(client.allocate({ size: MIB, grant: ['OPAQUE_FD'] }), { code: 'KIND_NOT_REQUESTED' });
  await using unlisted = connectControl({ runtimeDir });
  await t.rejects(unlisted.allocate({ size: MIB }), { code: 'SESSION_REQUIRED' });
  await using memory = await client.allocate({ size: MIB, name: 'taken' });
  await t.rejects(client.allocate({ size: MIB, name: 'taken' }), { code: 'NAME_TAKEN' });
  await memory.free();
});

t.test('claim(), get() and free() of an invalid or unknown reference fail with their code', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  await using memory = await client.allocate({ size: MIB });
  const refs: [string, Ref, ErrorCode][] = [
    ['an unknown id', UNKNOWN, 'NOT_FOUND'],
    ['an unknown name', { name: 'missing' }, 'NOT_FOUND'],
    ['an invalid id', { id: 'x' }, 'NOT_FOUND'],
    ["another user's name", { name: '12345/x' }, 'NOT_FOUND'],
    ['an empty name', { name: '' }, 'INVALID_ARGUMENT'],
    ['a name that is too long', { name: 'n'.repeat(100_000) }, 'INVALID_ARGUMENT'],
    ['a string as reference', any('name'), 'INVALID_ARGUMENT'],
    ['nothing', any(undefined), 'INVALID_ARGUMENT'],
  ];
  for (const [what, ref, code] of refs) {
    await t.rejects(client.claim(ref), { code }, `claim ${what}`);
    await t.rejects(client.get(ref), { code }, `get ${what}`);
    await t.rejects(client.free(ref), { code }, `free ${what}`);
  }
  await t.rejects(client.claim(memory, { kinds: ['OPAQUE_FD'] }), { code: 'KIND_NOT_REQUESTED' });
  await t.rejects(client.claim(memory, { kinds: any(['FLOPPY']) }), { code: 'KIND_UNSUPPORTED' });
  await t.rejects(client.claim(memory, { access: any('rwx') }), { code: 'INVALID_ARGUMENT' });
  t.throws(() => memory.fd(any('FLOPPY')), { code: 'KIND_UNSUPPORTED' });
  t.throws(() => memory.map({ access: any('rwx') }), { code: 'INVALID_ARGUMENT' });
});

t.test('invalid transfers are rejected', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  await using memory = await client.allocate({ size: MIB });
  await using other = await client.allocate({ size: 4096 });
  const fill = (rest: object) => client.transfer({ fill: { to: memory, pattern: 0, ...rest } });
  const copy = (rest: object) => client.transfer({ copy: { from: memory, to: other, ...rest } });
  await t.rejects(fill({ offset: 2 }), { code: 'INVALID_RANGE' }, 'a fill that is not aligned to its words');
  await t.rejects(fill({ size: 0 }), { code: 'INVALID_RANGE' }, 'size 0, which does not mean the rest');
  await t.rejects(fill({ offset: -4 }), { code: 'INVALID_RANGE' });
  await t.rejects(fill({ offset: MIB }), { code: 'INVALID_RANGE' });
  await t.rejects(fill({ pattern: -1 }), { code: 'INVALID_ARGUMENT' });
  await t.rejects(fill({ pattern: 2 ** 32 }), { code: 'INVALID_ARGUMENT' });
  await t.rejects(fill({ to: UNKNOWN }), { code: 'NOT_FOUND' });
  await t.rejects(copy({}), { code: 'INVALID_RANGE' }, 'a copy of the rest of a larger source');
  await t.rejects(copy({ size: 4096, toOffset: 1 }), { code: 'INVALID_RANGE' });
  await t.rejects(copy({ size: 1.5 }), { code: 'INVALID_RANGE' });
  await t.rejects(
    copy({ to: memory, toOffset: 100, size: 200 }),
    { code: 'INVALID_RANGE' },
    'overlapping ranges',
  );
  await t.rejects(client.transfer(any({})), { code: 'INVALID_ARGUMENT' });
});

t.test('an error states what to do', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const error = await client.allocate({ size: 2 ** 50 }).catch((failure: unknown) => failure);
  if (!(error instanceof VkmemError)) return t.fail('not a VkmemError');
  t.equal(error.code, 'SIZE_ABOVE_MAXIMUM');
  t.match(error.reason, /1125899906842624 bytes/);
  t.equal(error.metadata.requested_bytes, '1125899906842624');
  t.equal(error.next, CATALOGUE.SIZE_ABOVE_MAXIMUM.next);
});
