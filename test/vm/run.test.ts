/**
 * vkmemctl vm run, with a real QEMU: the memory is attached as requested, and its grants last as long as
 * QEMU.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parsed, program, vkmemctl } from '../cli/support.js';
import { connected, MIB } from '../client/support.js';
import {
  ANYBODY,
  assertCounts,
  assertNoLeaks,
  plainEnvironment,
  plainNode,
  root,
  startDaemon,
} from '../support/daemon.js';
import { noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';
import { noQemu, QEMU, Sockets, stop } from './machine.js';

const { qemuArguments } = (await import(join(root, 'client/typescript/dist/cli/qemu-arguments.js'))) as {
  qemuArguments(given: readonly object[], own: readonly string[]): string[];
};

/** Runs it until the test ends. */
function run(t: Test, runtimeDir: string, args: readonly string[]): ChildProcess {
  const node = plainNode([program, '--runtime-dir', runtimeDir, 'vm', 'run', ...args]);
  const child = spawn(...node, { env: plainEnvironment(), stdio: ['ignore', 'ignore', 'inherit'] });
  t.teardown(() => stop(child));
  return child;
}

t.test(
  'vm run starts a machine with RAM and devices from the daemon',
  { skip: noQemu ?? false },
  async (t) => {
    const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
    const client = await connected(t, runtimeDir);
    const ram = await client.allocate({ name: 'ram', size: 64 * MIB });
    const weights = await client.allocate({ name: 'weights', size: 4 * MIB });
    const mine = { sessions: 1, allocations: 2, grants: 2, fds: 2, deviceMemories: 2 };
    const given = ['--ram', 'ram', '--nvdimm-ro', 'weights', '--ivshmem', 'weights'];

    await t.test('--dry-run prints the command line and keeps no grant', async (t) => {
      const dry = await vkmemctl(
        runtimeDir,
        'vm',
        'run',
        '--dry-run',
        '--json',
        '--ram',
        'ram',
        '--',
        QEMU,
        '-S',
      );
      const { argv } = parsed(dry);
      t.match(argv.slice(0, 4).join(' '), /^qemu-system-x86_64 -S -object memory-backend-file,id=vkmem-ram,/);
      t.match(
        argv.join(' '),
        /mem-path=\/proc\/self\/fd\/\d+,size=67108864,share=on -machine memory-backend=vkmem-ram$/,
      );
      await assertCounts(t, runtimeDir, mine);
    });

    await t.test('both sides see the same bytes, and QEMU holds its own grants', async (t) => {
      const [atWork, inWeights] = [ram.map().bytes, weights.map().bytes];
      atWork.fill(0x11, 32 * MIB, 33 * MIB);
      inWeights.fill(0x22);
      const sockets = new Sockets(t);
      const child = run(t, runtimeDir, [
        ...['--ram', 'ram', '--nvdimm-ro', 'weights'],
        ...['--', QEMU, ...sockets.options, '-S', '-name', 'fd{fd:ram}'],
      ]);
      const monitor = await sockets.monitor();
      const peek = (at: number) =>
        monitor.execute('human-monitor-command', { 'command-line': `xp /1xw ${at}` });
      t.match(await peek(32 * MIB), /0x11111111/);
      atWork.fill(0x33, 32 * MIB, 33 * MIB);
      t.match(await peek(32 * MIB), /0x33333333/, 'the value that was written');
      const [{ data }] = (await monitor.execute('query-memory-devices')) as [{ data: { addr: number } }];
      t.match(await peek(data.addr), /0x22222222/);
      t.match(await monitor.execute('query-name'), { name: /^fd\d+$/ });
      monitor.close();
      await assertCounts(t, runtimeDir, { ...mine, sessions: 2, grants: 4 });

      t.equal((await ram.free()).freed, false, 'the machine holds it');
      await assertCounts(t, runtimeDir, {
        ...{ sessions: 2, allocations: 1, drainingAllocations: 1, grants: 3, fds: 2, deviceMemories: 1 },
      });
      await stop(child);
      await assertCounts(t, runtimeDir, {
        sessions: 1,
        allocations: 1,
        grants: 1,
        fds: 1,
        deviceMemories: 1,
      });
    });

    await t.test('invalid options are refused before QEMU starts', async (t) => {
      const refused = async (...args: string[]) => (await vkmemctl(runtimeDir, 'vm', 'run', ...args)).stderr;
      t.match(await refused('--ram', 'nothing', '--', QEMU), /NOT_FOUND/);
      t.match(
        await refused(...given.slice(2), '--', QEMU),
        /INVALID_ARGUMENT.*weights: the machine cannot have the same allocation twice/,
      );
      t.match(await refused('--dimm', 'weights', '--', QEMU, '-daemonize'), /-daemonize/);
      t.match(
        await refused('--dimm', 'weights', '--', QEMU, '-m', 'much'),
        /-m much: .* add slots and maxmem/,
      );
      t.equal((await vkmemctl(runtimeDir, 'vm', 'run', '--dimm', 'weights', '--', 'no-such-qemu')).code, 127);
      const odd = ['--allocate', 'name=odd,size=3M,lifetime=session', '--ivshmem', 'odd', '--', QEMU];
      t.match(await refused(...odd), /SIZE_NOT_POWER_OF_TWO.*odd has 3145728 bytes/, 'QEMU would abort');
      await assertCounts(t, runtimeDir, {
        sessions: 1,
        allocations: 1,
        grants: 1,
        fds: 1,
        deviceMemories: 1,
      });
    });

    await t.test('as a user who cannot reopen the memory', { skip: noOtherUser ?? false }, async (t) => {
      openToOthers(runtimeDir);
      chmodSync(runtimeDir, 0o755);
      const said = (more: string) =>
        new Promise<string>((resolve) => {
          const own = `name=own,size=1M,lifetime=session${more}`;
          const args = ['--dry-run', '--allocate', own, '--dimm', 'own', '--', QEMU];
          const node = plainNode([program, '--runtime-dir', runtimeDir, 'vm', 'run', ...args]);
          const child = spawn(...node, { env: plainEnvironment(), uid: OTHER_UID, gid: OTHER_UID });
          let said = '';
          for (const output of [child.stdout, child.stderr]) {
            output.setEncoding('utf8').on('data', (text: string) => {
              said += text;
            });
          }
          child.once('close', () => resolve(said));
        });
      t.match(await said(''), /NOT_PERMITTED.*own: user 65533 cannot reopen it.*reopenable/);
      t.match(
        await said(',reopenable'),
        /^qemu-system-x86_64 -object .* -device pc-dimm,id=vkmem-own-dev,memdev=vkmem-own\s/,
      );
    });

    await weights.free();
    await client.close();
    await assertNoLeaks(t, runtimeDir);
  },
);

t.test('-m is extended for hot-plugged memory', async (t) => {
  const dimm = { form: 'dimm', id: 'd', fd: 9, size: 16n << 20n };
  const room = (own: string[], given = [dimm]) => {
    const args = qemuArguments(given, own);
    return args[args.indexOf('-m') + 1];
  };
  t.equal(room([]), `slots=1,maxmem=${(128 + 16) << 20}B`, "in addition to QEMU's default");
  t.equal(room(['-m', '256']), `slots=1,maxmem=${(256 + 16) << 20}B`);
  t.equal(room(['-m', 'size=1G']), `slots=1,maxmem=${(1024 + 16) << 20}B`);
  t.notOk(
    qemuArguments([dimm], ['-m', '1G,slots=4,maxmem=8G']).includes('-m'),
    "the user's own option is kept",
  );
  t.notOk(qemuArguments([{ ...dimm, form: 'ivshmem' }], []).includes('-m'));
});
