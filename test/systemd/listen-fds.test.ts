/**
 * sd_listen_fds: the process that the variables are for, their possible values, and that they are removed in
 * any case. activation.test.ts tests real fds.
 */
import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import t from 'tap';
import { inheritListenFds } from 'vkmemd/dist/systemd/listen-fds.js';
import { plainEnvironment, plainNode, root } from '../support/daemon.js';

const PID = 4711;
const gone = { PATH: '/bin' };

/** An environment with the variables, which must be removed afterwards. */
function environment(pid: string | undefined, fds: string | undefined, names?: string): NodeJS.ProcessEnv {
  return {
    ...gone,
    ...(pid !== undefined && { LISTEN_PID: pid }),
    ...(fds !== undefined && { LISTEN_FDS: fds }),
    ...(names !== undefined && { LISTEN_FDNAMES: names }),
  };
}

t.test('variables for another process are ignored', async (t) => {
  for (const env of [
    environment(undefined, undefined),
    environment(undefined, '2', 'a:b'),
    environment('1', '2', 'a:b'),
    environment(String(PID), undefined),
    environment(String(PID), '0'),
  ]) {
    const said = JSON.stringify(env);
    t.equal(inheritListenFds(env, PID).size, 0, said);
    t.strictSame(env, gone, 'and the variables are removed');
  }
});

t.test('invalid variables are rejected', async (t) => {
  const pid = String(PID);
  const cases: [NodeJS.ProcessEnv, RegExp][] = [
    [environment('me', '1'), /LISTEN_PID=me/],
    [environment(pid, 'two'), /LISTEN_FDS=two/],
    [environment(pid, '-1'), /LISTEN_FDS=-1/],
    [environment(pid, ''), /LISTEN_FDS= /],
    [environment(pid, '99999999999'), /LISTEN_FDS=99999999999/],
    [environment(pid, '1', 'a:b'), /2 names, but LISTEN_FDS is 1/],
  ];
  for (const [env, message] of cases) {
    t.throws(() => inheritListenFds(env, PID), { code: 'INVALID_ARGUMENT', message });
    t.strictSame(env, gone);
  }
});

/** Takes the inherited fds and prints them; a child of it must have none of them. */
const TAKER = `
import { spawnSync } from 'node:child_process';
import { inheritListenFds } from '${root}daemon/dist/systemd/listen-fds.js';
process.env.LISTEN_PID = String(process.pid);
let said;
try {
  const taken = inheritListenFds(process.env);
  const child = spawnSync('ls', ['/proc/self/fd'], { encoding: 'utf8' }).stdout.split('\\n');
  said = {
    names: Object.fromEntries([...taken].map(([name, fds]) => [name, fds.map(({ fd }) => fd)])),
    inChild: [3, 4, 5].filter((fd) => child.includes(String(fd + 0)) && fd > 3),
  };
} catch (failure) {
  said = { code: failure.code, message: failure.message };
}
console.log(JSON.stringify(said));
`;

t.test('fds are taken by name', async (t) => {
  const take = (fds: string, names: string | undefined) => {
    const device = openSync('/dev/null', 'r');
    const run = spawnSync(...plainNode(['--input-type=module', '--eval', TAKER]), {
      encoding: 'utf8',
      env: { ...plainEnvironment(), ...environment(undefined, fds, names) },
      stdio: ['ignore', 'pipe', 'inherit', device, device, device],
    });
    return JSON.parse(run.stdout);
  };
  t.match(take('3', 'handoff:control:handoff'), {
    names: { handoff: [3, 5], control: [4] },
    inChild: [],
  });
  t.match(take('3', 'handoff'), { names: { handoff: [3], unknown: [4, 5] } }, 'fewer names than fds');
  t.match(take('2', undefined), { names: { unknown: [3, 4] } }, 'no names');
  t.match(take('2', ':b'), { names: { unknown: [3], b: [4] } }, 'an empty name');
  t.match(take('500', 'a'), {
    code: 'INVALID_ARGUMENT',
    message: /LISTEN_FDS is 500, but fd 502 is not open/,
  });
});
