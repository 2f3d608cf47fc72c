/**
 * A daemon that violates the protocol (a fake): its answer is rejected, its fds are closed, and the
 * connection ends. Also sizes above the memory of any test machine, in a sparse file.
 */
import { constants } from 'node:buffer';
import { closeSync, ftruncateSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@vkmemd/client';
import { type Draft, OwnedFd, PROTOCOL_VERSION } from '@vkmemd/proto';
import t from 'tap';
import { temporaryFolder } from '../support/daemon.js';
import { ALLOCATION, GRANT, type Reply, startFakeDaemon } from './fake-daemon.js';
import { connected } from './support.js';

const openFds = () => readdirSync('/proc/self/fd').length;
const zeros = () => new OwnedFd(openSync('/dev/zero', 'r'), 'test');
const allocate = (grants: readonly object[], more: object = {}) =>
  ({ allocate: { allocation: ALLOCATION, grants, ...more } }) as Draft<'ServerMessage'>;

/** Description, the answer to Allocate, and the number of fds sent with it. */
const LIES: [string, Draft<'ServerMessage'>, number][] = [
  ['an fd that fd_count does not include', { fdCount: 0, ...allocate([GRANT]) }, 1],
  ['a count without an fd', { fdCount: 1, ...allocate([GRANT]) }, 0],
  ['an fd without a grant', { fdCount: 1, ...allocate([]) }, 1],
  ['a grant without its fd', { fdCount: 0, ...allocate([GRANT]) }, 0],
  ['two grants and one fd', { fdCount: 1, ...allocate([GRANT, GRANT]) }, 1],
  ['a grant of another allocation', { fdCount: 1, ...allocate([{ ...GRANT, allocationId: 'x' }]) }, 1],
  ['no allocation', { fdCount: 1, ...allocate([GRANT], { allocation: null }) }, 1],
  ['an answer to another request', { fdCount: 0, release: {} }, 0],
  ['an fd with an error', { fdCount: 1, error: { code: 5, message: 'no' } }, 1],
  ['no body', { fdCount: 0 }, 0],
];

t.test('an inconsistent answer is rejected and ends the connection', async (t) => {
  for (const [what, message, count] of LIES) {
    const { runtimeDir } = startFakeDaemon(t, ({ sequence }): Reply[] => [
      { message: { sequence, ...message }, fds: Array.from({ length: count }, zeros) },
    ]);
    const before = openFds();
    const client = await connected(t, runtimeDir);
    await t.rejects(client.allocate({ size: 1 }), { code: 'PROTOCOL_ERROR' }, what);
    await client.closed;
    await t.rejects(client.allocate({ size: 1 }), { code: 'UNAVAILABLE' }, 'no more requests can be sent');
    for (let left = 200; left > 0 && openFds() !== before; left -= 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    t.equal(openFds(), before, 'its fds and the connection are closed');
  }
});

t.test('bytes that are not a valid answer are rejected', async (t) => {
  const replies: [string, Reply[]][] = [
    ['noise', [{ message: Buffer.from('ffffff', 'hex') }]],
    ['an answer without a request', [{ message: { sequence: 99n, release: {} } }]],
    ['more fds than kinds exist', [{ message: { fdCount: 5 }, fds: Array.from({ length: 5 }, zeros) }]],
  ];
  for (const [what, reply] of replies) {
    const { runtimeDir } = startFakeDaemon(t, () => reply);
    const client = await connected(t, runtimeDir);
    await t.rejects(client.allocate({ size: 1 }), { code: /PROTOCOL_ERROR|UNAVAILABLE/ }, what);
    await client.closed;
  }
});

t.test('a missing or unsupported Welcome is rejected', async (t) => {
  const silent = startFakeDaemon(
    t,
    () => [],
    () => [],
  );
  const begun = Date.now();
  await t.rejects(
    connect({ runtimeDir: silent.runtimeDir, timeoutMs: 100 }),
    { code: 'UNAVAILABLE' },
    'no Welcome in time',
  );
  t.ok(Date.now() - begun < 5000);
  const newer = startFakeDaemon(
    t,
    () => [],
    ({ sequence }) => [{ message: { sequence, welcome: { protocolVersion: PROTOCOL_VERSION + 1 } } }],
  );
  await t.rejects(
    connect({ runtimeDir: newer.runtimeDir }),
    { code: 'VERSION_UNSUPPORTED' },
    'an unsupported version',
  );
});

t.test('memory larger than one ArrayBuffer is mapped in windows', { skip: tooLarge() }, async (t) => {
  const limit = BigInt(constants.MAX_LENGTH);
  const size = limit + 3n * 65_536n;
  const path = join(temporaryFolder(t), 'holes');
  const file = openSync(path, 'w+', 0o600);
  ftruncateSync(file, Number(size));
  t.teardown(() => closeSync(file));
  const { runtimeDir } = startFakeDaemon(t, ({ sequence }) => [
    {
      message: { sequence, fdCount: 1, ...allocate([{ ...GRANT, mapSizeBytes: size }]) },
      fds: [new OwnedFd(openSync(path, 'r+'), 'test')],
    },
  ]);
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ size });
  const refused = { code: 'INVALID_RANGE', metadata: { maximum_bytes: String(limit) } };
  t.throws(() => memory.map(), refused, 'the whole memory');
  t.throws(
    () => memory.map({ offset: 1, length: limit }),
    refused,
    'including the unaligned part of a page before it',
  );
  const first = memory.map({ length: limit });
  t.equal(BigInt(first.length), limit, 'the size of the largest ArrayBuffer');
  const second = memory.map({ offset: limit - 10n, length: 20 });
  const rest = memory.map({ offset: limit });
  t.equal(rest.length, 3 * 65_536, 'and the rest in another window');
  second.bytes.fill(7);
  t.same([first.bytes.at(-1), first.bytes.at(-11), rest.bytes[9], rest.bytes[10]], [7, 0, 7, 0]);
});

/**
 * The reason why no file can be larger than the largest ArrayBuffer: from Node 22 on one can hold 2^53 bytes.
 */
function tooLarge(): string | false {
  return (
    constants.MAX_LENGTH > 2 ** 40 && `no file is larger than an ArrayBuffer of ${constants.MAX_LENGTH} bytes`
  );
}
