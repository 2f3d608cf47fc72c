/**
 * A reload by SIGHUP, by gRPC and by vkmemctl: the whole policy is applied, or none of it, and existing
 * sessions have the new rights.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectControl } from '@vkmemd/client';
import { type Mapping, mapFd, type OwnedFd, VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { Authority } from 'vkmemd/dist/memory/authority.js';
import { Reload } from 'vkmemd/dist/memory/reload.js';
import { Policy } from 'vkmemd/dist/policy/policy.js';
import { parsed, vkmemctl } from '../cli/support.js';
import { asUser } from '../support/as-user.js';
import { ControlWire } from '../support/control-wire.js';
import {
  ANYBODY,
  assertNoLeaks,
  daemonProgram,
  plainEnvironment,
  startDaemon,
  type TestDaemon,
  temporaryFolder,
} from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';
import { manager } from '../systemd/manager.js';

const kinds = ['KIND_MAPPABLE'] as const;
const small = { sizeBytes: 4096n, kinds };
const BAD = '[[rule]]\nconnect = "yes"\nuid = -1\n';
const NO_KINDS = '[[rule]]\nuid = 0\nkinds = []\n';

/** Waits until the condition holds; fails after 10 s. */
async function until(so: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !so(); ) {
    if (Date.now() > end) throw new Error('the condition did not become true in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The number of matching log entries. */
const logged = ({ log }: TestDaemon, what: RegExp) => [...log().matchAll(new RegExp(what, 'g'))].length;
const IN_FORCE = /the policy was reloaded/;
const REFUSED = /was not replaced/;

t.test('SIGHUP reloads the policy; an invalid one leaves the old one in force', async (t) => {
  const socket = join(temporaryFolder(t), 'notify');
  const { messages, close } = manager(socket);
  t.teardown(close);
  const daemon = await startDaemon(t, { env: { NOTIFY_SOCKET: socket } });
  const wire = await HandoffWire.open(daemon.runtimeDir);
  const held = await wire.ask({ allocate: { ...small, grantKinds: kinds } });
  writeFileSync(daemon.config, NO_KINDS);
  process.kill(daemon.pid, 'SIGHUP');
  await until(() => logged(daemon, IN_FORCE) === 1);
  await t.rejects(wire.ask({ allocate: small }), { code: 'NOT_PERMITTED' }, 'from the next request on');
  const id = held.message.allocate?.allocation?.id ?? '';
  t.ok((await wire.ask({ free: { allocation: { id } } })).message.free, 'the session and its memory stay');

  writeFileSync(daemon.config, BAD);
  process.kill(daemon.pid, 'SIGHUP');
  await until(() => logged(daemon, REFUSED) === 1);
  t.match(daemon.log(), /policy\.toml:2:11: connect: .*policy\.toml:3:7: uid: /, 'every error is logged');
  await t.rejects(wire.ask({ allocate: small }), { code: 'NOT_PERMITTED' }, 'the old policy stays in force');

  writeFileSync(daemon.config, '');
  process.kill(daemon.pid, 'SIGHUP');
  await until(() => logged(daemon, IN_FORCE) === 2);
  t.ok((await wire.ask({ allocate: small })).message.allocate, 'a valid policy is applied again');
  for (const fd of held.fds) fd.close();
  wire.close();
  const reported = () => messages.filter((message) => !message.startsWith('STATUS='));
  await until(() => reported().length === 7);
  t.match(reported(), [
    /^READY=1\nSTATUS=\d+ allocations?, .*; device /,
    /^RELOADING=1\nMONOTONIC_USEC=\d+$/,
    /^READY=1\nSTATUS=\d+ allocations?, .*; device /,
    /^RELOADING=1\n/,
    /^READY=1\nSTATUS=The reload of the policy failed/,
    /^RELOADING=1\n/,
    /^READY=1\nSTATUS=\d+ allocations?, .*; device /,
  ]);
});

t.test('a passed fd and its mapping stay after Release, a revoked ticket and a reload', async (t) => {
  const daemon = await startDaemon(t);
  const wire = await HandoffWire.open(daemon.runtimeDir);
  const allocation = { name: 'memory' };
  const made = await wire.ask({ allocate: { ...small, ...allocation, grantKinds: kinds } });
  const { message } = await wire.ask({ createTicket: { allocation, uses: 2 } });
  const { secret = '', ticket } = message.createTicket ?? {};
  const claimed = await wire.ask({ claim: { ticket: secret } });
  const passed = [...made.fds, ...claimed.fds];
  t.equal(passed.length, 2);
  const mappings: Mapping[] = [];
  const map = (fd: OwnedFd, access: 'ro' | 'rw' = 'ro'): Uint8Array => {
    const mapping = mapFd(fd, { offset: 0n, length: 4096, access });
    mappings.push(mapping);
    return new Uint8Array(mapping.buffer);
  };
  const mapped = passed.map((fd) => map(fd));
  const writable = map(made.fds[0] as OwnedFd, 'rw');
  let written = 0;
  const assertPassed = (what: string) => {
    written += 1;
    writable[0] = written;
    t.same(
      [...mapped, ...passed.map((fd) => map(fd))].map(([first]) => first),
      Array(4).fill(written),
      what,
    );
  };
  assertPassed('before');
  await wire.ask({ revokeTicket: { ticketId: ticket?.id ?? '' } });
  await t.rejects(wire.ask({ claim: { ticket: secret } }), { code: 'TICKET_INVALID' });
  assertPassed('a revoked ticket');
  for (const answer of [made.message.allocate, claimed.message.claim]) {
    await wire.ask({ release: { grantId: answer?.grants[0]?.id ?? 0n } });
  }
  assertPassed('Release');
  writeFileSync(daemon.config, NO_KINDS);
  process.kill(daemon.pid, 'SIGHUP');
  await until(() => logged(daemon, IN_FORCE) === 1);
  await t.rejects(wire.ask({ claim: { allocation, kinds } }), { code: 'NOT_PERMITTED' });
  assertPassed('a reload');
  const freed = await wire.ask({ free: { allocation } });
  t.equal(freed.message.free?.freed, false, 'it is still held');
  assertPassed('Free');
  for (const mapping of mappings) mapping.unmap();
  for (const fd of passed) fd.close();
  wire.close();
  await assertNoLeaks(t, daemon.runtimeDir);
});

t.test('the errors of a very large invalid file are logged within limits', async (t) => {
  const daemon = await startDaemon(t);
  writeFileSync(daemon.config, Array.from({ length: 20_000 }, (_, line) => `k${line} = 1\n`).join(''));
  process.kill(daemon.pid, 'SIGHUP');
  await until(() => logged(daemon, REFUSED) === 1);
  t.match(
    daemon.log(),
    /"count":20000,.*policy\.toml:100:1: /,
    'the log has the number of errors and the first hundred',
  );
});

t.test('ReloadPolicy reloads the policy or returns its errors', async (t) => {
  const daemon = await startDaemon(t, { policy: ANYBODY });
  const { runtimeDir, config } = daemon;
  const control = new ControlWire(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  t.match(await control.call('ReloadPolicy', {}), { files: [config], rules: 1 });
  writeFileSync(config, `${ANYBODY}${NO_KINDS}`);
  t.match(await control.call('ReloadPolicy', {}), { files: [config], rules: 2 });
  await t.rejects(wire.ask({ allocate: small }), { code: 'NOT_PERMITTED' });
  await t.rejects(control.call('Allocate', { ...small, name: 'x' }), { code: 'NOT_PERMITTED' });
  writeFileSync(config, BAD);
  await t.rejects(control.call('ReloadPolicy', {}), {
    code: 'POLICY_INVALID',
    reason: new RegExp(`^${config}:2:11: connect: .*\n${config}:3:7: uid: `),
    metadata: { faults: '2', place: `${config}:2:11` },
  });
  await t.rejects(wire.ask({ allocate: small }), { code: 'NOT_PERMITTED' }, 'the old policy stays in force');
  writeFileSync(config, ANYBODY);
  await Promise.all(Array.from({ length: 20 }, () => control.call('ReloadPolicy', {})));
  t.ok((await wire.ask({ allocate: small })).message.allocate);
  wire.close();
  control.close();
});

t.test('a user that may no longer connect keeps its session but opens no new one', async (t) => {
  const { runtimeDir, config, pid, ...daemon } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  writeFileSync(config, '[[rule]]\nuid = 0\nconnect = false\n');
  await control.call('ReloadPolicy', {});
  await t.rejects(HandoffWire.open(runtimeDir), { code: 'NOT_PERMITTED' });
  await t.rejects(
    control.call('ListAllocations', {}),
    { code: 'NOT_PERMITTED' },
    'every gRPC call is checked',
  );
  t.ok((await wire.ask({ allocate: small })).message.allocate, 'an existing session keeps its other rights');
  writeFileSync(config, '');
  process.kill(pid, 'SIGHUP');
  await until(() => [...daemon.log().matchAll(/the policy was reloaded/g)].length === 2);
  t.ok(await control.call('ListAllocations', {}));
  wire.close();
  control.close();
});

t.test('a reload applies new pressure thresholds', async (t) => {
  const { runtimeDir, config } = await startDaemon(t, { policy: '[pressure]\nelevated = 1\ncritical = 1\n' });
  const control = new ControlWire(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  const size = (await control.budget()).heaps[0]?.sizeBytes ?? 0n;
  await wire.ask({ allocate: { ...small, sizeBytes: size / 50n } });
  const pressure = async () => (await control.budget()).heaps[0]?.pressure;
  t.equal(await pressure(), 'PRESSURE_CRITICAL');
  writeFileSync(config, '[pressure]\nelevated = 1\n');
  await control.call('ReloadPolicy', {});
  t.equal(await pressure(), 'PRESSURE_ELEVATED');
  writeFileSync(config, '');
  await control.call('ReloadPolicy', {});
  t.equal(await pressure(), 'PRESSURE_NORMAL');
  wire.close();
  control.close();
});

t.test('only operators may reload', { skip: noOtherUser ?? false }, async (t) => {
  const { runtimeDir, config } = await startDaemon(t, { policy: ANYBODY });
  chmodSync(runtimeDir, 0o755);
  for (const socket of ['handoff.sock', 'control.sock']) chmodSync(join(runtimeDir, socket), 0o666);
  const visit = () => asUser({ uid: OTHER_UID, gid: OTHER_UID, groups: [] }, 'probe-policy.js', [runtimeDir]);
  t.match(await visit(), { hello: 'served', reload: 'NOT_PERMITTED' });
  writeFileSync(config, `${ANYBODY}[[rule]]\nuid = ${OTHER_UID}\noperator = true\n`);
  await using control = connectControl({ runtimeDir });
  t.strictSame({ ...(await control.policy.reload()) }, { files: [config], rules: 2 });
  t.match(await visit(), { hello: 'served', reload: 'served' }, 'a user that the policy makes an operator');
});

t.test('vkmemctl reload prints the result', async (t) => {
  const { runtimeDir, config } = await startDaemon(t, { policy: ANYBODY });
  const reported = await vkmemctl(runtimeDir, 'reload');
  t.strictSame(reported, {
    code: 0,
    stdout: `ORDER  FILE\n    1  ${config}\n\nThe policy is in force: 1 file, 1 rule.\n`,
    stderr: '',
  });
  t.strictSame(parsed(await vkmemctl(runtimeDir, 'reload', '--json')), { files: [config], rules: 1 });
  writeFileSync(config, BAD);
  const refused = await vkmemctl(runtimeDir, 'reload', '--json');
  t.equal(refused.code, 1);
  t.match(
    refused.stderr,
    `${config}:2:11: connect: "yes" is a string; allowed: true or false.\n${config}:3:7: uid: `,
  );
  const next = `Fix the files at these lines; this prints every fault: vkmemd --check-config --config ${config}`;
  t.match(parsed(refused), { error: { code: 'POLICY_INVALID', next } });
  writeFileSync(config, '[[rule]]\nuid = -1\n'.repeat(50));
  const { stderr } = await vkmemctl(runtimeDir, 'reload');
  const shown = stderr.match(/:\d+:7: uid: -1 is too small; allowed: [^\n]*\.$/gm)?.length ?? 0;
  t.ok(shown > 2 && shown < 50, `${shown} whole faults`);
  t.match(stderr, `\nand ${50 - shown} more. ${next}\n`, 'and the number of the others');
  const { 1: command = '' } = /every fault: (.*)\n$/.exec(stderr) ?? [];
  const all = spawnSync(process.execPath, [daemonProgram, ...command.split(' ').slice(1)], {
    encoding: 'utf8',
    env: plainEnvironment(),
  });
  t.match(all.stdout, /\n50 faults: the policy is invalid\.\n$/);
});

t.test('reloads run one at a time, and none is skipped', async (t) => {
  const policy = () => new Policy({ rules: [] });
  const authority = new Authority(policy());
  const reads: ((outcome: Policy | VkmemError) => void)[] = [];
  const reload = new Reload(authority, () => {
    return new Promise((resolve, reject) => {
      reads.push((outcome) => (outcome instanceof Policy ? resolve(outcome) : reject(outcome)));
    });
  });
  const reported: Policy[] = [];
  authority.onReplaced((replaced) => reported.push(replaced));
  const settled = async () => new Promise((resolve) => setImmediate(resolve));
  const first = reload.run();
  await settled();
  const [second, third] = [reload.run(), reload.run()];
  await settled();
  t.equal(reads.length, 1, 'the second waits for the first');
  const bad = new VkmemError('POLICY_INVALID');
  reads[0]?.(bad);
  await t.rejects(first, { code: 'POLICY_INVALID' });
  await settled();
  t.equal(reads.length, 2, 'and reads the files again, which may have changed');
  const good = policy();
  reads[1]?.(good);
  t.equal(await second, good);
  t.equal(await third, good, 'requests made meanwhile share one reload');
  t.equal(authority.policy, good);
  const later = reload.run();
  await settled();
  const last = policy();
  reads[2]?.(last);
  t.equal(await later, last);
  t.strictSame(reported, [good, last], 'listeners receive the policies that came into force');
});
