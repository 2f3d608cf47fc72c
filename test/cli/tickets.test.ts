/**
 * vkmemctl ticket and vkmemctl watch against a real daemon.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { connected, MIB } from '../client/support.js';
import { plainNode, startDaemon, temporaryFolder } from '../support/daemon.js';
import { parsed, program, vkmemctl } from './support.js';

t.test('ticket create, ls and revoke', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const run = (...args: string[]) => vkmemctl(runtimeDir, 'ticket', ...args);
  await vkmemctl(runtimeDir, 'alloc', 'frames', '--size', '1M');
  t.same(await run('ls'), { code: 0, stdout: 'No tickets.\n', stderr: '' });

  const made = await run('create', 'frames');
  t.match(made, { code: 0, stderr: '' });
  t.match(made.stdout, /^vkt_[\w-]{22}\nTicket [0-9a-f-]{36}: MAPPABLE ro, 1 use, for (1h|59m)\.\n$/);
  const [secret = ''] = made.stdout.split('\n');
  const client = await connected(t, runtimeDir);
  await (await client.claim({ ticket: secret })).release();

  const more = ['--kind', 'mappable', '--access', 'rw', '--uses', '10', '--valid', '7d', '--for-uid', '1000'];
  const { ticket, secret: second } = parsed(await run('create', 'frames', ...more, '--json'));
  t.match(ticket, {
    kinds: ['MAPPABLE'],
    access: 'rw',
    usesLeft: 10,
    forUid: 1000,
    ownerUid: process.getuid?.(),
  });
  const days = (Date.parse(ticket.expiresAt) - Date.now()) / 86_400_000;
  t.ok(days > 6.9 && days < 7.1);
  t.match(second, /^vkt_/);
  const list = (await run('ls')).stdout.trimEnd().split('\n');
  t.match(list[0], /^ID +ALLOCATION +KINDS +ACCESS +USES +EXPIRES IN +FOR +BY$/);
  t.match(list[1], new RegExp(`^${ticket.id} +${ticket.allocationId} +MAPPABLE +rw +10 +[67]d +1000 +\\d+$`));
  t.equal(list.length, 2, 'the used ticket is not listed');
  t.same(parsed(await run('ls', '--json')), { tickets: [ticket] });
  t.same(await run('revoke', ticket.id), { code: 0, stdout: `Revoked ${ticket.id}.\n`, stderr: '' });
  t.match(await run('revoke', ticket.id), { code: 1, stdout: '', stderr: /NOT_FOUND/ });
  t.match(parsed(await run('revoke', ticket.id, '--json')), { error: { code: 'NOT_FOUND' } });

  const refusals: [string[], string][] = [
    [['create', 'none'], 'NOT_FOUND'],
    [['create', ticket.allocationId, '--kind', 'OPAQUE_FD'], 'KIND_NOT_REQUESTED'],
    [['create', 'frames', '--kind', 'FLOPPY'], 'KIND_UNSUPPORTED'],
    [['create', 'frames', '--access', 'wr'], 'INVALID_ARGUMENT'],
    [['create', 'frames', '--uses', '0'], 'INVALID_ARGUMENT'],
    [['create', 'frames', '--uses', '1000001'], 'INVALID_ARGUMENT'],
    [['create', 'frames', '--valid', 'soon'], 'INVALID_ARGUMENT'],
    [['create', 'frames', '--valid', '31d'], 'INVALID_ARGUMENT'],
    [['create', 'frames', '--for-uid', 'root'], 'INVALID_ARGUMENT'],
  ];
  for (const [args, code] of refusals) {
    const { code: exit, stdout, stderr } = await run(...args);
    t.same({ exit, stdout }, { exit: 1, stdout: '' }, args.join(' '));
    t.match(stderr, new RegExp(`^vkmemctl: ${code}: `));
  }
  t.match(
    parsed(await run('create', '--json')),
    { error: { code: 'INVALID_ARGUMENT' } },
    'invalid arguments too',
  );
  t.match(await vkmemctl(temporaryFolder(t), 'ticket', 'ls'), { code: 69 });
  t.match((await run('--help')).stdout, /Examples:\n {2}\$ vkmemctl ticket create/);
  t.match((await run('create', '--help')).stdout, /Examples:\n {2}\$ vkmemctl ticket create/);
  await vkmemctl(runtimeDir, 'free', 'frames');
});

/** Runs vkmemctl watch; yields its lines as they arrive. */
function watching(t: Test, runtimeDir: string, ...args: string[]) {
  const child = spawn(...plainNode([program, '--runtime-dir', runtimeDir, 'watch', ...args]));
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => (await lines.next()).value ?? '(the end)';
  return { child, line };
}

t.test('watch prints a line for each event, until SIGINT', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const there = await client.allocate({ size: MIB, name: 'there', grant: [] });
  const { child, line } = watching(t, runtimeDir, '--existing');
  const at = '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z';
  const allocation = `${there.id.slice(0, 8)} {2}there {2}1 MiB {2}uid \\d+`;
  t.match(await line(), new RegExp(`^${at} {2}created {4}${allocation}$`));
  const claimed = await client.claim({ name: 'there' }, { access: 'ro' });
  t.match(
    await line(),
    new RegExp(`^${at} {2}granted {4}${allocation} {2}MAPPABLE ro to session ${client.session.id}$`),
  );
  await claimed.release();
  await there.free();
  t.match(await line(), new RegExp(`^${at} {2}draining {3}${allocation}$`));
  t.match(await line(), new RegExp(`^${at} {2}freed {6}${allocation}$`));
  child.kill('SIGINT');
  t.same(await once(child, 'close'), [0, null]);
});

t.test('watch --json prints one object a line', async (t) => {
  const { runtimeDir, stop } = await startDaemon(t, { unchecked: true });
  const client = await connected(t, runtimeDir);
  const there = await client.allocate({ size: MIB, name: 'there', grant: [] });
  const { child, line } = watching(t, runtimeDir, '--existing', '--json');
  t.match(JSON.parse(await line()), {
    sequence: 1,
    event: 'CREATED',
    allocation: { id: there.id, state: 'LIVE' },
    grant: null,
  });
  await client.claim({ name: 'there' });
  t.match(JSON.parse(await line()), {
    sequence: 2,
    event: 'GRANTED',
    grant: { sessionId: Number(client.session.id), kind: 'MAPPABLE', access: 'rw' },
  });
  const ended = once(child, 'close');
  await stop();
  t.match(
    JSON.parse(await line()),
    { error: { code: 'UNAVAILABLE' } },
    'an error that ends the watch is an object too',
  );
  t.same(await ended, [69, null]);
});
