/**
 * A real guest with a kernel of its own and a worker in a sandbox share one allocation: each writes all 64
 * MiB, rings the other's doorbell, and reads every bit of the other's bytes. Neither polls, and no byte is
 * sent through a socket. The test runs the command lines of docs/virtualization.md, "Try it", unchanged.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { root, startDaemon } from '../support/daemon.js';
import { noGuest } from '../support/guest.js';
import { type CommandLine, commandLines, readersEnvironment } from '../support/page.js';

// Plain JavaScript, as in the worker.
const { fill, sum } = await import(`${root}/test/vm/pattern.mjs`);

const BYTES = 64 << 20;
/** The seeds on the page. */
const SEEDS = { worker: 5, guest: 7 };
const DEMO = 'npm run demo:vm';
const noBwrap =
  spawnSync('bwrap', ['--ro-bind', '/', '/', 'true']).status === 0 ? undefined : 'bwrap cannot be run here';

function sumOf(seed: number): string {
  const words = new Uint32Array(BYTES / 4);
  fill(words, seed);
  return sum(words);
}

interface Running {
  readonly child: ChildProcess;
  /** Resolves when it has printed something. */
  readonly said: Promise<void>;
  /** How it ended, and the lines that it printed. */
  readonly ended: Promise<{ code: number | null; stdout: string[]; stderr: string }>;
}

function start(t: Test, { command }: CommandLine, env: NodeJS.ProcessEnv): Running {
  // A process group of its own, so that all its processes can be ended.
  const child = spawn('sh', ['-c', command], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  t.teardown(() => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), 'SIGKILL');
  });
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const said = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      resolve();
    });
    child.once('close', () => resolve());
  });
  const ended = new Promise<Awaited<Running['ended']>>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout: stdout.split(/\r?\n/).filter(Boolean), stderr }));
  });
  return { child, said, ended };
}

t.test('a guest and a worker exchange 64 MiB each way', { skip: noGuest ?? noBwrap ?? false }, async (t) => {
  const lines = commandLines('virtualization.md').get('Try it') ?? [];
  t.equal(lines[0]?.command, DEMO, 'which another test runs');
  const { runtimeDir } = await startDaemon(t);
  const env = readersEnvironment(runtimeDir);
  const behind: [CommandLine, Running][] = [];
  for (const line of lines.slice(1)) {
    const running = start(t, line, env);
    if (line.background) {
      behind.push([line, running]);
      await running.said;
      continue;
    }
    const { code, stdout, stderr } = await running.ended;
    t.strictSame({ code, stderr }, { code: 0, stderr: '' }, line.command);
    if (line.output.length === 0) continue;
    const guests = stdout.filter((each) => each.startsWith('guest: '));
    t.strictSame(guests, line.output, 'the guest prints the lines of the page');
    const [hosts, guest] = [sumOf(SEEDS.worker), sumOf(SEEDS.guest)];
    t.match(guests, [/^guest: peer/, `guest: read ${hosts}`, `guest: wrote ${guest}`, 'guest: done']);
  }
  t.equal(behind.length, 1, 'the worker runs in the background');
  for (const [line, { ended }] of behind) {
    const { code, stdout, stderr } = await ended;
    t.strictSame({ code, stderr }, { code: 0, stderr: '' }, line.command);
    t.strictSame(stdout.slice(0, line.output.length), line.output);
    const reported = stdout.map((each) => JSON.parse(each));
    t.strictSame(reported, [{ peer: 0 }, { wrote: sumOf(SEEDS.worker) }, { read: sumOf(SEEDS.guest) }]);
  }
});
