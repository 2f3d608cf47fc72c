/**
 * What is left to a front that was taken over where the kernel refuses SO_PEERPIDFD, as Linux before 6.5 does: a
 * caller whose process has ended, unless the process had a session that answered the challenge.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONTROL_SOCKET } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { plainNode } from '../support/daemon.js';
import { refusing } from '../support/refuse-calls.js';
import { Play, type PlayedCaller } from './played.js';
import { sleep, until } from './support.js';

const GET = 'GetBudget';
/** Set where the kernel refuses the option: the daemon runs in this process. */
const REFUSED = 'VKMEMD_TEST_WITHOUT_PEERPIDFD';
/** Connects to the control socket, with a session that answers or without one, until standard input ends. */
const CALLING = `
const [library, runtimeDir, path] = process.argv.slice(1);
if (library) await (await import(library)).connect({ runtimeDir });
(await import('node:net')).connect(path);
process.stdin.resume().once('end', () => process.exit());`;

async function called(t: Test, play: Play, session: boolean) {
  const { callers } = play.front;
  const before = callers.length;
  const library = session ? import.meta.resolve('@vkmemd/client') : '';
  const path = join(play.runtimeDir, CONTROL_SOCKET);
  const args = ['--input-type=module', '-e', CALLING, library, play.runtimeDir, path];
  const client = spawn(process.execPath, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  t.teardown(() => client.kill('SIGKILL'));
  await until('the caller', () => callers.length > before);
  const caller = callers.at(-1) as PlayedCaller;
  t.equal(await play.front.outcome(play.front.call(caller.number, GET)), 'served');
  client.stdin.end();
  await once(client, 'close');
  return caller;
}

if (process.env[REFUSED] === undefined) {
  t.test('callers before Linux 6.5', async (t) => {
    const [node, args] = plainNode([fileURLToPath(import.meta.url)]);
    const [command = '', ...rest] = [...refusing('ENOPROTOOPT', 'getsockopt:SO_PEERPIDFD'), node, ...args];
    const env = { ...process.env, [REFUSED]: '1' };
    const child = spawn(command, rest, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const output = Buffer.concat((await child.stdout.toArray()) as Buffer[]).toString();
    const how = child.exitCode ?? (await once(child, 'close'))[0];
    t.equal(how, 0, output);
    t.match(output, /^ok 1 - a caller without a session lasts until the front ends/m);
  });
} else {
  t.test('a caller without a session lasts until the front ends', async (t) => {
    const play = await Play.begin(t);
    const { front } = play;
    const { number } = await called(t, play, false);
    await sleep(500);
    t.strictSame(front.ended, [], 'the core does not know that its process has ended');
    t.equal(await front.outcome(front.call(number, GET)), 'served');

    const known = await called(t, play, true);
    await until('the core ends a caller that it knows', () => front.ended.includes(known.number));
    t.strictSame(front.ended, [known.number], 'it alone');
    await play.end();
  });
}
