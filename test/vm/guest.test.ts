/**
 * A real guest with a kernel of its own and a worker in a sandbox have one allocation: each writes all 64 MiB, rings the
 * other's doorbell, and reads what the other wrote, to the last bit. Nobody polls, and no byte goes by a socket.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { execute, parsed, vkmemctl } from '../cli/support.js';
import { root, startDaemon } from '../support/daemon.js';
import { noGuest, startGuest } from '../support/guest.js';

// Of no type, since it is plain JavaScript, as the worker is.
// @ts-expect-error
const { fill, sum } = await import('../../vm/pattern.mjs');

const BYTES = 64 << 20;
const HOST_SEED = 20_260;
const GUEST_SEED = 77_911;
const noBwrap =
  spawnSync('bwrap', ['--ro-bind', '/', '/', 'true']).status === 0 ? undefined : 'bwrap cannot be run here';

function sumOf(seed: number): string {
  const words = new Uint32Array(BYTES / 4);
  fill(words, seed);
  return sum(words);
}

t.test('64 MiB each way', { skip: noGuest ?? noBwrap ?? false }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  t.match(await vkmemctl(runtimeDir, 'alloc', 'shared', '--size', '64M'), { code: 0 });
  const { server } = parsed(
    await vkmemctl(runtimeDir, 'vm', 'ivshmem', 'shared', '--vectors', '1', '--json'),
  );

  const program = join(root, 'test/vm/exchange.mjs');
  const sandbox = ['--sandbox', '--ro', root, '--ro', process.execPath];
  const memory = ['--allocate', 'name=shared,size=64M,if-exists=claim'];
  const command = [process.execPath, program, 'shared', String(HOST_SEED)];
  const worker = execute(runtimeDir, [...sandbox, ...memory, '--', ...command]);
  t.teardown(() => worker.child.kill());
  const { peer } = await worker.said;
  const guest = await startGuest(t, {
    path: server.path,
    vectors: 1,
    command: ['exchange', peer, GUEST_SEED],
  });

  t.match(await guest.ended, { code: 0, errors: '' }, 'the guest turns its machine off');
  if (!guest.output.includes('guest: done')) throw new Error(`the guest said: ${guest.output}`);
  t.match(await worker.ended, { code: 0, stderr: '' });
  const told = (await worker.ended).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const [hosts, guests] = [sumOf(HOST_SEED), sumOf(GUEST_SEED)];
  t.strictSame(told, [{ peer }, { wrote: hosts }, { read: guests }]);
  const lines = guest.output.split('\r\n').filter((line) => line.startsWith('guest: '));
  t.match(lines[0], /^guest: peer \d+, 67108864 bytes$/);
  t.strictSame(lines.slice(1), [`guest: read ${hosts}`, `guest: wrote ${guests}`, 'guest: done']);
  t.match(await vkmemctl(runtimeDir, 'free', 'shared'), { code: 0 });
});
