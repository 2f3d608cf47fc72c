/** vkmemctl's commands against a real daemon: their text, their JSON, and their exit codes. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { connected, MIB } from '../client/support.js';
import {
  assertCounts,
  plainEnvironment,
  plainNode,
  startDaemon,
  temporaryFolder,
} from '../support/daemon.js';
import { parsed, program, vkmemctl } from './support.js';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

t.test('alloc, ls, budget and free', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const run = (...args: string[]) => vkmemctl(runtimeDir, ...args);
  t.same(await run('ls'), { code: 0, stdout: 'No allocations.\n', stderr: '' });

  const made = await run('alloc', 'frames', '--size', '64M', '--kind', 'mappable', '--kind', 'MAPPABLE');
  t.same({ code: made.code, stderr: made.stderr }, { code: 0, stderr: '' });
  t.match(made.stdout, /^Allocated frames: 64 MiB, MAPPABLE, id [0-9a-f-]{36}\.\n/);
  t.match(made.stdout, /^Memory type \d+ of heap \d+ \(.*HOST_VISIBLE.*\), not dedicated\.\n$/m);
  const second = parsed(await run('alloc', 'weights', '--size', '4096', '--json')).allocation;
  t.match(second, {
    name: 'weights',
    sizeBytes: 4096,
    kinds: ['MAPPABLE'],
    lifetime: 'NAMED',
    state: 'LIVE',
  });
  await assertCounts(t, runtimeDir, { allocations: 2, fds: 2, deviceMemories: 2 });

  const list = (await run('ls')).stdout.trimEnd().split('\n');
  t.match(list[0], /^ID +NAME +SIZE +KINDS +STATE +UID +GRANTS +AGE$/);
  t.match(list[1], /^[0-9a-f]{8} +frames +64 MiB +MAPPABLE +live +\d+ +0 +\d+s$/);
  t.equal(list.length, 3);
  const { allocations } = parsed(await run('ls', '--json'));
  t.same(
    allocations.map((one: { name: string; sizeBytes: number }) => [one.name, one.sizeBytes]),
    [
      ['frames', 64 * MIB],
      ['weights', 4096],
    ],
  );
  t.match(allocations[0].createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

  const budget = (await run('budget')).stdout;
  t.match(
    budget,
    /^HEAP +SIZE +AVAILABLE +LIVE +DRAINING +RESERVED +DRIVER BUDGET +USAGE +SOURCE +PRESSURE\n/,
  );
  t.match(
    budget,
    /\n2 live allocations, 0 draining, 0 sessions, 0 grants, 2 fds, 2 VkDeviceMemory objects\n$/,
  );
  const { heaps, counts } = parsed(await run('budget', '--json'));
  t.equal(heaps[0].liveBytes, 64 * MIB + 4096);
  t.equal(counts.allocations, 2);

  t.match(await run('free', 'frames'), { code: 0, stdout: 'Freed frames: 64 MiB.\n', stderr: '' });
  const start = second.id.slice(0, 8);
  t.match(
    await run('free', start),
    { code: 0, stdout: `Freed ${start}: 4 KiB.\n` },
    'by the shortened id that ls shows',
  );
});

t.test('free reports what it could not free, and frees the rest', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ size: MIB, name: 'held' });
  await client.allocate({ size: MIB, name: 'loose' }).then((loose) => loose.release());
  const mixed = await vkmemctl(runtimeDir, 'free', 'missing', 'held', UNKNOWN, 'loose', '--json');
  t.equal(mixed.code, 1);
  t.match(mixed.stderr, /^vkmemctl: NOT_FOUND: .* missing\. .*\nvkmemctl: NOT_FOUND: .*0000\. .*\n$/);
  const { freed, error } = parsed(mixed);
  t.same(
    freed.map((one: { ref: string; freed: boolean }) => [one.ref, one.freed]),
    [
      ['held', false],
      ['loose', true],
    ],
  );
  t.match(error, { code: 'NOT_FOUND', message: /missing/, next: /Check the name; write UID/ });
  const list = (await vkmemctl(runtimeDir, 'ls')).stdout;
  t.match(list, / held +1 MiB +MAPPABLE +draining /);
  await memory.release();
  t.match(await vkmemctl(runtimeDir, 'free', 'held'), { code: 1, stdout: '', stderr: /NOT_FOUND/ });
});

t.test('a refusal is printed with its code, as text and as JSON', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const cases: [string[], string][] = [
    [['alloc', 'x', '--size', '0'], 'INVALID_SIZE'],
    [['alloc', 'x', '--size', '-4K'], 'INVALID_SIZE'],
    [['alloc', 'x', '--size', '64KB'], 'INVALID_SIZE'],
    [['alloc', 'x', '--size', 'many'], 'INVALID_SIZE'],
    [['alloc', 'x', '--size', '999999999999T'], 'SIZE_ABOVE_MAXIMUM'],
    [['alloc', 'x', '--size', '4096T'], 'SIZE_ABOVE_MAXIMUM'],
    [['alloc', 'x', '--size', '1M', '--kind', 'FLOPPY'], 'KIND_UNSUPPORTED'],
    [['alloc', 'x', '--size', '1M', '--require', 'FAST'], 'INVALID_ARGUMENT'],
    [['alloc', 'x', '--size', '1M', '--memory-type', 'two'], 'INVALID_ARGUMENT'],
    [['alloc', 'x', '--size', '1M', '--buffer-usage', '0'], 'INVALID_ARGUMENT'],
    [['alloc', 'x', '--image', 'format=37,width=8'], 'INVALID_ARGUMENT'],
    [['alloc', 'x', '--image', 'format=37,width=8,usage=1,colour=3'], 'INVALID_ARGUMENT'],
    [['alloc', 'x', '--image', 'format=37,width=8,usage=1,width=9'], 'INVALID_ARGUMENT'],
    [['alloc', 'x', '--image', 'format=37,width=8,usage='], 'INVALID_ARGUMENT'],
    [['alloc', 'x', '--image', 'format=37,width=8,usage=1,drmFormatModifiers=0'], 'INVALID_ARGUMENT'],
    [
      [
        'alloc',
        'x',
        '--image',
        'format=37,width=8,usage=1,tiling=drm_format_modifier,drmFormatModifiers=1+x',
      ],
      'INVALID_ARGUMENT',
    ],
    [['alloc', 'a b', '--size', '1M'], 'INVALID_NAME'],
    [['alloc', '', '--size', '1M'], 'INVALID_NAME'],
    [['free', ''], 'INVALID_ARGUMENT'],
  ];
  for (const [args, code] of cases) {
    const { code: exit, stdout, stderr } = await vkmemctl(runtimeDir, ...args);
    t.same({ exit, stdout }, { exit: 1, stdout: '' }, args.join(' '));
    t.match(stderr, new RegExp(`^vkmemctl: ${code}: [^\n]+\n$`));
  }
  const json = await vkmemctl(runtimeDir, 'alloc', 'x', '--size', '0', '--json');
  t.match(parsed(json), { error: { code: 'INVALID_SIZE', message: /0 bytes/, next: /at least 1 byte/ } });
  t.match(json.stderr, /^vkmemctl: INVALID_SIZE: /, '--json prints the error on standard error too');
});

t.test('sizes are parsed with their suffix', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const sizes: [string, number][] = [
    ['4096', 4096],
    ['4096B', 4096],
    ['8k', 8192],
    ['1M', MIB],
    ['1MiB', MIB],
    ['3 mib', 3 * MIB],
  ];
  for (const [at, [text, bytes]] of sizes.entries()) {
    const made = parsed(await vkmemctl(runtimeDir, 'alloc', `sized-${at}`, '--size', text, '--json'));
    t.equal(made.allocation.sizeBytes, bytes, text);
  }
  t.equal((await vkmemctl(runtimeDir, 'free', ...sizes.map((_, at) => `sized-${at}`))).code, 0);
});

t.test('every command exits with 69 when no daemon runs', async (t) => {
  const folder = temporaryFolder(t);
  for (const args of [['ls'], ['budget'], ['alloc', 'x', '--size', '1M'], ['free', 'x']]) {
    const { code, stdout, stderr } = await vkmemctl(folder, ...args);
    t.same({ code, stdout }, { code: 69, stdout: '' }, args.join(' '));
    t.match(
      stderr,
      /^vkmemctl: UNAVAILABLE: [^\n]* has no such socket\. Check the path, or start vkmemd there\.\n$/,
    );
  }
  const json = await vkmemctl(folder, 'ls', '--json');
  t.equal(json.code, 69);
  t.match(parsed(json), { error: { code: 'UNAVAILABLE', next: /start vkmemd/ } });
});

t.test('invalid arguments exit with the error, as JSON too', async (t) => {
  for (const args of [
    ['alloc'],
    ['alloc', 'x'],
    ['free'],
    ['nope'],
    ['ls', '--bogus'],
    ['budget', 'extra'],
  ]) {
    const ended = await vkmemctl('/nowhere', ...args, '--json');
    t.equal(ended.code, 1, args.join(' '));
    t.match(parsed(ended), { error: { code: 'INVALID_ARGUMENT', message: /./, next: /./ } });
    t.match(
      ended.stderr,
      /^vkmemctl: INVALID_ARGUMENT: [^\n]+\. Fix the field named in the reason; [^\n]+--help[^\n]+\n$/,
    );
  }
  t.match(await vkmemctl('/nowhere', 'lss'), {
    code: 1,
    stdout: '',
    stderr: /unknown command 'lss' \(Did you mean ls\?\)\./,
  });
  t.match(await vkmemctl('/nowhere', 'ticket'), { code: 1, stdout: '', stderr: /^Usage: vkmemctl ticket/ });
  const help = await vkmemctl('/nowhere', 'ls', '--help', '--json');
  t.equal(help.code, 0);
  t.match(help.stdout, /^Usage:/, '--help is not an error');
});

t.test('output that cannot be written', async (t) => {
  const [node, args] = plainNode([program, '--help']);
  const sh = (script: string) =>
    spawnSync('sh', ['-c', script, 'sh', node, ...args], { env: plainEnvironment(), encoding: 'utf8' });
  t.match(
    sh('{ "$@"; echo $? >&2; } | true'),
    { stderr: '0\n' },
    'the reader may close the pipe at any time',
  );
  const full = sh('"$@" > /dev/full');
  t.match(full, { status: 1, stderr: /^vkmemctl: standard output: ENOSPC[^\n]+\n$/ });
});

t.test('--help and --version', async (t) => {
  const folder = temporaryFolder(t);
  const help = await vkmemctl(folder, '--help');
  t.equal(help.code, 0);
  for (const command of ['doctor', 'ls', 'budget', 'alloc', 'free', 'reload']) {
    t.match(help.stdout, new RegExp(`^  ${command}\\b`, 'm'));
    t.match((await vkmemctl(folder, command, '--help')).stdout, /Examples:\n {2}\$ vkmemctl /);
  }
  t.match(await vkmemctl(folder, '--version'), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  t.match(await vkmemctl(folder, 'nonsense'), { code: 1, stdout: '', stderr: /unknown command/ });
});
