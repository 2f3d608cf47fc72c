/**
 * Runs a daemon for development: `npm run dev -- [--supervisor] [OPTIONS OF vkmemd]`. It uses lavapipe,
 * unless VK_DRIVER_FILES names another driver, and a temporary runtime folder, whose path is printed, unless
 * --runtime-dir is given. All other environment variables are passed on.
 *
 * `tsc --build --watch` compiles proto, the daemon and the client after each change. If that succeeds and
 * changes files that the daemon loads, the daemon is restarted. After a compile error the running daemon
 * continues. With --supervisor the supervisor stays and restarts the daemon, so that memory outlives it
 * (docs/supervisor.md). Without, memory ends with each daemon. A change of a schema or of an addon requires
 * `npm run setup`.
 *
 * On a terminal the log is formatted by pino-pretty; otherwise it is written as the daemon's lines of JSON to
 * standard output. Messages of this program and of the compiler go to standard error. Ctrl-C (SIGINT),
 * SIGTERM and SIGHUP end all processes and remove the temporary folder; a second signal kills processes that
 * still run. The exit status is then 0. If the daemon refuses its command line (64) or its policy (78), all
 * processes end and the exit status is that of the daemon.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { prettyFactory } from 'pino-pretty';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PROJECTS = ['proto', 'daemon', 'client/typescript'];
/** The files of the checkout that a daemon loads. */
const LOADED = ['proto/dist', 'daemon/dist'];
const ICD_FOLDERS = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d'];
/** Exit statuses of a daemon that would fail in the same way at another start. */
const REFUSED = [64, 78];
/** The time from SIGTERM to SIGKILL. */
const STOP_MS = 15_000;

const say = (text) => process.stderr.write(`dev: ${text}\n`);
const args = process.argv.slice(2);
const supervised = args.includes('--supervisor');

/**
 * The runtime folder of the arguments, or a temporary one, whose path is short enough for socket addresses
 * (107 bytes).
 */
function runtimeFolder() {
  const at = args.findIndex((arg) => /^--runtime-dir(=|$)/.test(arg));
  if (at >= 0) return { path: resolve(args[at].split('=')[1] ?? args[at + 1] ?? ''), remove() {} };
  const path = mkdtempSync(join(tmpdir().length < 64 ? tmpdir() : '/tmp', 'vkmemd-dev-'));
  args.push('--runtime-dir', path);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The environment of the daemon. */
function environment() {
  const { env } = process;
  if (env.VK_DRIVER_FILES || env.VK_ICD_FILENAMES) return env;
  for (const folder of ICD_FOLDERS) {
    try {
      const file = readdirSync(folder).find((name) => name.startsWith('lvp_icd'));
      if (file) return { ...env, VK_DRIVER_FILES: join(folder, file) };
    } catch {
      // The folder does not exist, so the Vulkan loader does not find a driver in it either.
    }
  }
  throw new Error(`lavapipe was not found in ${ICD_FOLDERS.join(' or ')}: install mesa-vulkan-drivers`);
}

/** A digest of the files that a daemon loads. */
function loadedDigest() {
  const hash = createHash('sha256');
  for (const folder of LOADED) {
    const files = readdirSync(join(root, folder), { recursive: true }).sort();
    for (const file of files.filter((name) => /\.(js|json)$/.test(name))) {
      hash.update(`\0${file}\0`).update(readFileSync(join(root, folder, file)));
    }
  }
  return hash.digest('hex');
}

/** The running processes. Each leads its own process group, so that the terminal sends it no signal. */
const running = new Set();

/** Starts a Node.js program; `exited` resolves with its exit status or signal. */
function start(program, operands, options) {
  const child = spawn(process.execPath, [join(root, program), ...operands], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  running.add(child);
  const exited = new Promise((done) => {
    child.once('error', (error) => done(error.message));
    child.once('exit', (code, signal) => done(code ?? signal));
  });
  exited.then(() => running.delete(child));
  return { child, exited };
}

/** Sends a signal to a process and its process group. */
function signalGroup({ pid }, signal) {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

/** Stops a process; kills it if it does not end in time. */
async function end({ child, exited }) {
  child.kill('SIGTERM');
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(timer);
}

const format = process.stdout.isTTY
  ? prettyFactory({
      colorize: true,
      translateTime: 'SYS:HH:MM:ss.l',
      ignore: 'pid,hostname,name',
      singleLine: true,
    })
  : (line) => `${line}\n`;

/** Resolves with the exit status when all processes must end. */
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});
let stopping = false;
let service;

/** Starts the daemon, or the supervisor with one. */
function startService() {
  const started = start('daemon/bin/vkmemd.js', args, { env: environment() });
  createInterface({ input: started.child.stdout }).on('line', (line) => process.stdout.write(format(line)));
  started.child.stderr.pipe(process.stderr, { end: false });
  started.exited.then((how) => {
    if (service !== started) return;
    service = undefined;
    if (stopping) return;
    if (REFUSED.includes(how)) finish(how);
    else say(`the daemon ended with ${how}; it is restarted after the next successful compilation`);
  });
  service = started;
}

async function restartService() {
  if (!service) {
    startService();
  } else if (supervised) {
    say('compiled; the supervisor restarts the daemon');
    service.child.kill('SIGUSR2');
  } else {
    say('compiled; restarting the daemon, which frees its memory');
    const old = service;
    service = undefined;
    await end(old);
    if (!stopping) startService();
  }
}

let loaded;
/** Restarts run one after another. */
let restarts = Promise.resolve();

/** Called when the compiler has finished. @param errors The number of compile errors. */
function compiled(errors) {
  if (stopping) return;
  if (errors > 0) {
    say(`${errors} compile errors: ${service ? 'the running daemon continues' : 'no daemon is started'}`);
    return;
  }
  const now = loadedDigest();
  if (now === loaded && service) return;
  loaded = now;
  restarts = restarts.then(restartService).catch((failure) => {
    say(failure.message);
    finish(1);
  });
}

function startCompiler() {
  const pretty = process.stderr.isTTY ? ['--pretty'] : [];
  const operands = ['--build', '--watch', '--preserveWatchOutput', ...pretty, ...PROJECTS];
  // Its compile cache would stay in the temporary folder.
  const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' };
  const compiler = start('node_modules/typescript/bin/tsc', operands, { env });
  createInterface({ input: compiler.child.stdout }).on('line', (line) => {
    const text = stripVTControlCharacters(line);
    const [, errors] = /Found (\d+) errors?\./.exec(text) ?? [];
    if (errors !== undefined) compiled(Number(errors));
    else if (!/^\s*$|Starting (incremental )?compilation/.test(text)) process.stderr.write(`${line}\n`);
  });
  compiler.child.stderr.pipe(process.stderr, { end: false });
  compiler.exited.then((how) => {
    if (stopping) return;
    say(`the compiler ended with ${how}`);
    finish(1);
  });
  return compiler;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (stopping) for (const child of running) signalGroup(child, 'SIGKILL');
    finish(0);
  });
}
// However this program ends, it kills the processes that it started.
process.on('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
});

const folder = runtimeFolder();
try {
  say(`the runtime folder is ${folder.path}`);
  say(`npx vkmemctl --runtime-dir ${folder.path} status`);
  const compiler = startCompiler();
  process.exitCode = await finished;
  stopping = true;
  await restarts;
  await Promise.all([service && end(service), end(compiler)]);
} finally {
  folder.remove();
}
