/**
 * Real logins, by PAM and systemd-logind: $XDG_RUNTIME_DIR is set, a daemon of the user's own is found there, and
 * membership of the sockets' group is taken up by the next login.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { denials, eventually, must, type Outcome, ready, run, SERVICE } from './installed.js';

const USER = 'lab-user';
const LIST = 'vkmemctl ls --json';
const SOCKETS = ['handoff', 'control', 'admin'].map((plane) => `vkmemd-${plane}.socket`);
/** Names the folder of the user's own daemon. */
const OWN = 'VKMEMD_RUNTIME_DIR="$XDG_RUNTIME_DIR/vkmemd"';

/** Logs in, and runs a command there. */
const login = (command: string): Outcome => run('su', '--login', USER, '--command', command);

/** A login that runs `first`, waits for proceed(), and runs `then`. */
function longLogin(t: Test, first: string, then: string) {
  const child = spawn('su', ['--login', USER, '--command', `${first}; echo waits; read -r line; ${then}`]);
  t.teardown(() => child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Outcome>((resolve) =>
    child.once('close', (status) => resolve({ status, stdout, stderr })),
  );
  return {
    waits: () => eventually('the login waits', () => stdout.includes('waits\n') || undefined),
    proceed: () => {
      child.stdin.end('\n');
      return ended;
    },
  };
}

t.test('the group of the sockets', async (t) => {
  must('systemctl', 'start', SERVICE);
  await ready();
  must('useradd', '--create-home', '--shell', '/bin/sh', USER);
  const before = longLogin(t, 'id -nG', LIST);
  await before.waits();
  must('usermod', '-aG', 'vkmem', USER);
  const { status, stderr } = await before.proceed();
  t.equal(status, 1, 'a login from before has the old groups');
  t.match(stderr, /EACCES/);
  t.match(stderr, /vkmem/, 'the message names the group');
  t.match(login(LIST), { status: 0, stderr: '' }, 'the next login has the new one');
});

t.test("a daemon of the user's own, in $XDG_RUNTIME_DIR", async (t) => {
  const { stdout: folder } = login('printf %s "$XDG_RUNTIME_DIR"');
  t.equal(folder, `/run/user/${must('id', '-u', USER)}`);
  t.match(
    login(`${OWN} vkmemctl ls`),
    { status: 69, stderr: new RegExp(`${folder}/vkmemd`) },
    'there is none yet',
  );
  const own = longLogin(t, 'vkmemd 2>/dev/null & daemon=$!', 'kill $daemon; wait $daemon');
  await own.waits();
  const socket = join(folder, 'vkmemd/handoff.sock');
  await eventually('its socket is there', () => existsSync(socket) || undefined);
  t.match(login(`${OWN} vkmemctl alloc own --size 1M`), { status: 0 });
  t.match(
    login('vkmemctl ls'),
    { status: 0, stdout: /^(?!.*own)/s },
    "otherwise the system's daemon is found",
  );
  must('systemctl', 'stop', ...SOCKETS, SERVICE);
  t.match(login('vkmemctl ls'), { status: 0, stdout: /own/ }, 'and without it the own one');
  must('systemctl', 'start', ...SOCKETS);
  t.match(await own.proceed(), { status: 0 });
  t.notOk(existsSync(socket), 'its socket is removed');
});

t.test('AppArmor has refused nothing', async (t) => {
  t.strictSame(denials(), []);
});
