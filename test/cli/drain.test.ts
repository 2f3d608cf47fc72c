/**
 * vkmemctl drain: the memory that a stop would lose, for a daemon without an fd store and for one under its
 * supervisor.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { parsed, vkmemctl } from './support.js';

const kinds = ['KIND_MAPPABLE'] as const;

t.test('drain without an fd store counts all memory as lost at a restart', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const none = await vkmemctl(runtimeDir, 'drain');
  t.match([none.code, none.stdout], [0, 'Nothing that you may see would be lost.\n']);
  const wire = await HandoffWire.open(runtimeDir);
  const given = await wire.ask({
    allocate: { sizeBytes: 4096n, kinds, grantKinds: kinds, name: 'given-up' },
  });
  await wire.ask({ free: { allocation: { name: 'given-up' } } });
  await wire.ask({ allocate: { sizeBytes: 65_536n, kinds } });
  const { code, stdout } = await vkmemctl(runtimeDir, 'drain');
  t.equal(code, 0);
  t.match(stdout, /A permanent stop would lose 1 allocation, 64 KiB, of 1 user\./);
  t.match(stdout, /A restart would lose 1 allocation, 64 KiB\./);
  const waited = await vkmemctl(runtimeDir, 'drain', '--wait', '1s', '--json');
  t.equal(waited.code, 1, 'memory is left');
  t.match(parsed(waited), {
    stop: { allocations: 1, bytes: 65_536 },
    restart: { allocations: 1 },
    left: [{ kept: false }],
  });
  const waiting = vkmemctl(runtimeDir, 'drain', '--wait', '1m');
  wire.close();
  for (const fd of given.fds) fd.close();
  t.match(
    await waiting,
    { code: 0, stdout: 'Nothing that you may see would be lost.\n' },
    'it waits until no memory is left',
  );
  t.match(await vkmemctl(runtimeDir, 'drain', '--wait', 'long'), { code: 1, stderr: /INVALID_ARGUMENT/ });
  const help = (await vkmemctl(runtimeDir, 'drain', '--help')).stdout;
  const [, stop] = / && (systemctl stop .*)/.exec(help) ?? [];
  const page = readFileSync(join(root, 'docs/operations.md'), 'utf8').replaceAll('\n', ' ');
  t.ok(stop?.includes('.socket') && page.includes(`\`${stop}\``), 'the command of docs/operations.md');
});

t.test('drain under a supervisor counts memory as kept at a restart', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  await wire.ask({ allocate: { sizeBytes: 65_536n, kinds, name: 'frames' } });
  const { stdout } = await vkmemctl(daemon.runtimeDir, 'drain');
  t.match(
    stdout,
    /A permanent stop would lose 1 allocation, 64 KiB, of 1 user\.\nA restart would lose nothing\.\n/,
  );
  await wire.ask({ free: { allocation: { name: 'frames' } } });
  wire.close();
});
