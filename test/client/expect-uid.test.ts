/** Whose sockets a client accepts: those of the user that it expects, and with a warning those of others. */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, connect, connectControl } from '@vkmemd/client';
import t, { type Test } from 'tap';
import { root, startDaemon, temporaryFolder } from '../support/daemon.js';
import { runProgram } from '../support/program.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

const skip = noOtherUser ?? false;
const user = { uid: OTHER_UID, gid: OTHER_UID };

/** The warnings about sockets since the last call. */
function warningsOf(t: Test): () => Promise<string[]> {
  const seen: string[] = [];
  const note = ({ name, message }: Error) => name === 'VkmemdPeerWarning' && seen.push(message);
  process.on('warning', note);
  t.teardown(() => process.off('warning', note));
  return async () => {
    await new Promise(setImmediate);
    return seen.splice(0);
  };
}

async function devicesOf(options: object): Promise<string> {
  await using control = connectControl(options);
  return await control.devices().then(
    () => 'served',
    ({ code, message }) => `${code} ${message}`,
  );
}

const sessionOf = (options: object): Promise<Client | Error> => connect(options).catch((failure) => failure);

t.test('a daemon of this user', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const warnings = warningsOf(t);
  const own = process.geteuid?.() ?? 0;
  for (const expectUid of [undefined, own, [OTHER_UID, own]]) {
    await (await connect({ runtimeDir, expectUid })).close();
    t.equal(await devicesOf({ runtimeDir, expectUid }), 'served', `expected: ${expectUid}`);
  }
  for (const expectUid of [OTHER_UID, [own + 1, OTHER_UID]]) {
    const message = new RegExp(
      `handoff.sock belongs to a process of the user ${own}; expected is .*${OTHER_UID}`,
    );
    t.match(await sessionOf({ runtimeDir, expectUid }), { code: 'NOT_PERMITTED', message }, `${expectUid}`);
    t.match(await devicesOf({ runtimeDir, expectUid }), /^NOT_PERMITTED .*control\.sock belongs to/);
  }
  for (const expectUid of [-1, 1.5, 2 ** 32, []]) {
    t.match(await sessionOf({ runtimeDir, expectUid }), { code: 'INVALID_ARGUMENT', message: /expectUid/ });
  }
  t.strictSame(await warnings(), []);
});

t.test('a daemon of another user', { skip }, async (t) => {
  const { runtimeDir } = await startDaemon(t, {
    user,
    policy: '[[rule]]\nconnect = true\noperator = true\n',
  });
  const warnings = warningsOf(t);
  for (let round = 0; round < 2; round += 1) {
    await (await connect({ runtimeDir })).close();
    t.equal(await devicesOf({ runtimeDir }), 'served');
  }
  const seen = await warnings();
  const place = new RegExp(
    `^${runtimeDir}/(handoff|control)\\.sock belongs to a process of the user ${OTHER_UID}`,
  );
  t.equal(seen.length, 2, 'one warning for each socket');
  for (const warning of seen) t.match(warning, place);
  await (await connect({ runtimeDir, expectUid: OTHER_UID })).close();
  t.equal(await devicesOf({ runtimeDir, expectUid: [0, OTHER_UID] }), 'served');
  t.strictSame(await warnings(), [], 'none where the user is named');
});

t.test('vkmemctl --expect-uid', { skip }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const vkmemctl = (...args: string[]) => runProgram(join(root, 'client/typescript/bin/vkmemctl.js'), args);
  const at = ['--runtime-dir', runtimeDir];
  t.match(await vkmemctl(...at, '--expect-uid', 'root', 'ls'), { code: 0 });
  t.match(await vkmemctl('ls', ...at, '--expect-uid', '0'), { code: 0 });
  const refused = {
    code: 1,
    stderr: /NOT_PERMITTED: .*belongs to a process of the user 0; expected is 65533/,
  };
  t.match(await vkmemctl('ls', ...at, '--expect-uid', `${OTHER_UID}`), refused);
  t.match(await vkmemctl('status', ...at, '--expect-uid', `${OTHER_UID}`), refused);
  t.match(await vkmemctl(...at, '--expect-uid', `${OTHER_UID}`, 'exec', '--', 'true'), refused);
  t.match(await vkmemctl('ls', ...at, '--expect-uid', 'no-such-user'), { stderr: /--expect-uid: .*no user/ });
});

t.test('another user that takes the place of the daemon', { skip }, async (t) => {
  const parent = temporaryFolder(t);
  chmodSync(parent, 0o755);
  const runtimeDir = join(parent, 'run');
  mkdirSync(runtimeDir);
  const first = await startDaemon(t, { runtimeDir, unchecked: true });
  const expectUid = process.geteuid?.() ?? 0;
  const client = await connect({ runtimeDir, expectUid, reconnectMs: 5000 });
  const control = connectControl({ runtimeDir, expectUid });
  await control.devices();
  const lost = new Promise<Error>((resolve) => client.on('disconnected', resolve));
  client.on('reconnected', () => t.fail('it accepted the other daemon'));
  await first.stop('SIGKILL');
  rmSync(runtimeDir, { recursive: true });
  mkdirSync(runtimeDir);
  await startDaemon(t, { runtimeDir, user, policy: '[[rule]]\nconnect = true\noperator = true\n' });
  t.match(await lost, { code: 'NOT_PERMITTED', message: new RegExp(`user ${OTHER_UID}`) });
  await t.rejects(control.devices(), { code: 'NOT_PERMITTED' }, 'nor on the control socket');
  await control.close();
  await client.close();
});
