/**
 * Starts a real daemon as a separate process for one test, with a private runtime folder, on the driver under
 * test.
 *
 * When the test ends, everything that it opened must be released: the counts and the account of every heap
 * are back to zero, the daemon exits with 0 on SIGTERM, and its sockets are removed.
 */
import { deepStrictEqual, equal } from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { Counts, HeapBudget } from '@vkmemd/proto';
import type { Test } from 'tap';
import { ControlWire } from './control-wire.js';

/** A policy that admits every user who can open the socket. */
export const ANYBODY = '[[rule]]\nconnect = true\n';

/** The root of the checkout. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const daemonProgram = join(root, 'daemon/bin/vkmemd.js');

const ICD_FOLDER = '/usr/share/vulkan/icd.d';

/** The path of the ICD manifest of the driver under test: $VKMEMD_TEST_DRIVER, or Mesa's lavapipe. */
export function driverUnderTest(): string {
  return process.env.VKMEMD_TEST_DRIVER ?? lavapipe();
}

/** The path of the ICD manifest of Mesa's lavapipe. */
export function lavapipe(): string {
  const file = readdirSync(ICD_FOLDER).find((name) => name.startsWith('lvp_icd'));
  if (!file) throw new Error(`no lavapipe in ${ICD_FOLDER}; install mesa-vulkan-drivers`);
  return join(ICD_FOLDER, file);
}

export interface TestDaemon {
  readonly runtimeDir: string;
  readonly pid: number;
  /** The line that it printed when it was ready. */
  readonly line: string;
  /** Its log so far. */
  readonly log: () => string;
  /** The path of the policy. */
  readonly config: string;
  /** Sends a signal. Resolves to how the process ended. A daemon in the test's process stops as on SIGTERM. */
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface DaemonOptions {
  readonly runtimeDir?: string;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** The policy, as TOML. Without one, only operators and members of the daemon's group may connect. */
  readonly policy?: string;
  /** The folder that the daemon uses in place of / when it searches for its policy; replaces `policy`. */
  readonly configRoot?: string;
  /** A command that runs the daemon as its last step. */
  readonly before?: readonly string[];
  /** The user that it runs as. Default: the test's own user. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /**
   * The daemon runs in the test's own process, which costs less than a process of its own. For tests that neither
   * block the event loop nor look at the daemon's process. On a Node.js other than the daemon's own, and with
   * `args`, `env`, `user` or `configRoot`, it is a process all the same.
   */
  readonly inProcess?: boolean;
  /** The test stops the daemon itself, or leaves state in it on purpose: nothing is asserted at the end. */
  readonly unchecked?: boolean;
}

/** Without rules. An emulated client of the lab may need more than 5 s from connect() to Hello. */
const PLAIN_POLICY = process.env.VKMEMD_LAB === undefined ? '' : '[limits]\nhandshake_ms = 60000\n';

/** All counts of an idle daemon: zero. */
export const NOTHING: Counts = {
  sessions: 0,
  allocations: 0,
  drainingAllocations: 0,
  grants: 0,
  fds: 0,
  deviceMemories: 0,
  semaphores: 0,
};

/** A temporary folder, removed when the test ends. */
export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'vkmemd-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * The arguments of spawn() for a Node.js program, without the test runner's NODE_OPTIONS. The runner adds
 * NODE_OPTIONS to the environment of every child, so `env` removes it and then executes the program.
 */
export function plainNode(args: readonly string[]): [string, string[]] {
  return ['env', ['-u', 'NODE_OPTIONS', process.execPath, ...args]];
}

/** The environment of this process without the test runner's NODE_OPTIONS. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _runner, NODE_COMPILE_CACHE: _cache, ...rest } = process.env;
  return rest;
}

/** Starts a daemon and waits until it serves requests. */
export async function startDaemon(t: Test, options: DaemonOptions = {}): Promise<TestDaemon> {
  const runtimeDir = options.runtimeDir ?? temporaryFolder(t);
  const files = options.env?.VK_DRIVER_FILES ?? driverUnderTest();
  const env = { ...plainEnvironment(), ...options.env, VK_DRIVER_FILES: files };
  const folder = temporaryFolder(t);
  const config = join(folder, 'policy.toml');
  writeFileSync(config, options.policy ?? PLAIN_POLICY);
  const source = options.configRoot ? ['--config-root', options.configRoot] : ['--config', config];
  if (options.inProcess && canRunInProcess(options)) {
    return startInThisProcess(t, { runtimeDir, config, unchecked: options.unchecked });
  }
  const args = [daemonProgram, '--runtime-dir', runtimeDir, ...source, ...(options.args ?? [])];
  const { user } = options;
  if (user) for (const path of [runtimeDir, folder]) chownSync(path, user.uid, user.gid);
  const [node, nodeArgs] = plainNode(args);
  const [command = node, ...rest] = [...(options.before ?? []), node, ...nodeArgs];
  const child = spawn(command, rest, { env, ...user });
  let log = '';
  const note = (line: string) => {
    log += `${line}\n`;
  };
  createInterface({ input: child.stderr }).on('line', note);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    return ended;
  };
  const line = await startLine(child, note, () => log);
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    if (options.unchecked) await stop();
    else await checkedStop(runtimeDir, stop, () => log);
  });
  return { runtimeDir, pid: child.pid ?? 0, line, log: () => log, config, stop };
}

/** Starts a daemon in the test's own process where that is possible: startDaemon() with `inProcess`. */
export function startInProcess(t: Test, options: DaemonOptions = {}): Promise<TestDaemon> {
  return startDaemon(t, { ...options, inProcess: true });
}

function canRunInProcess({ args, env, user, configRoot, before }: DaemonOptions): boolean {
  const own = realpathSync(process.execPath).startsWith(join(root, 'daemon/runtime/'));
  return own && !args && !env && !user && !configRoot && !before;
}

async function startInThisProcess(
  t: Test,
  { runtimeDir, config, unchecked }: { runtimeDir: string; config: string; unchecked: boolean | undefined },
): Promise<TestDaemon> {
  // The Vulkan loader reads it when the first instance is created.
  process.env.VK_DRIVER_FILES ??= driverUnderTest();
  const [vkmemd, { startFrontHere }, { pino }] = await Promise.all([
    import('vkmemd'),
    import('vkmemd/dist/front/in-process.js'),
    import('pino'),
  ]);
  let log = '';
  const write = (line: string) => {
    log += line;
  };
  const daemon = await vkmemd.startDaemon({
    runtimeDir,
    policy: { config },
    front: startFrontHere,
    log: pino({}, { write }),
  });
  let stopped = false;
  const stop = async () => {
    stopped = true;
    await daemon[Symbol.asyncDispose]();
    return { code: 0, signal: null };
  };
  t.teardown(async () => {
    if (stopped) return;
    if (unchecked) await stop();
    else await checkedStop(runtimeDir, stop, () => log);
  });
  return { runtimeDir, pid: process.pid, line: daemon.startLine, log: () => log, config, stop };
}

/**
 * Stops the daemon, which must hold nothing and exit without an error. A failure here is printed and fails
 * the test.
 */
async function checkedStop(runtimeDir: string, stop: TestDaemon['stop'], log: () => string): Promise<void> {
  try {
    try {
      await requireCounts(runtimeDir, NOTHING);
    } finally {
      deepStrictEqual(await stop(), { code: 0, signal: null }, 'the daemon exits with 0');
    }
    equal(existsSync(join(runtimeDir, 'handoff.sock')), false, 'its sockets are removed');
  } catch (failure) {
    console.error(failure, log());
    throw failure;
  }
}

/** Parses the ready line of the daemon from a line of its log. Returns undefined for any other line. */
export function startLineOf(line: string): string | undefined {
  const said = /"msg":("vkmemd \S+ ready: .*?[^\\]")/.exec(line)?.[1];
  return said && JSON.parse(said);
}

/**
 * Resolves to the ready line. @param note is called with every other line of standard output, now and later.
 */
function startLine(
  child: ChildProcessWithoutNullStreams,
  note: (line: string) => void,
  log: () => string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      const said = startLineOf(line);
      if (said === undefined) note(line);
      else resolve(said);
    });
    lines.once('close', () => reject(new Error(`the daemon ended before it was ready: ${log()}`)));
  });
}

/** @throws Error unless the daemon ends up with nothing allocated, granted or open. */
export const requireNothing = (runtimeDir: string): Promise<void> => requireCounts(runtimeDir, NOTHING);

/** Asserts that the daemon ends up with nothing allocated, granted or open. */
export async function assertNoLeaks(t: Test, runtimeDir: string): Promise<void> {
  await assertCounts(t, runtimeDir, NOTHING);
}

/** Asserts that the daemon ends up with exactly these counts. */
export async function assertCounts(t: Test, runtimeDir: string, expected: Partial<Counts>): Promise<void> {
  await t.resolves(
    requireCounts(runtimeDir, { ...NOTHING, ...expected }),
    "the daemon's counts are as expected",
  );
}

/**
 * Waits up to 5 s for these counts, and for empty heap accounts where nothing is expected: requests of a
 * killed client may still be in progress. Throws if the counts are not reached.
 */
async function requireCounts(runtimeDir: string, expected: Counts): Promise<void> {
  const control = new ControlWire(runtimeDir);
  const empty = expected.allocations + expected.drainingAllocations === 0;
  const charged = (heap: HeapBudget) => heap.liveBytes + heap.drainingBytes + heap.reservedBytes > 0n;
  const look = async () => {
    const { heaps, counts } = await control.budget();
    return { counts: { ...counts }, charged: empty ? heaps.filter(charged) : [] };
  };
  try {
    const wanted = { counts: expected, charged: [] };
    let found = await look();
    for (const end = Date.now() + 5000; !isDeepStrictEqual(found, wanted) && Date.now() < end; ) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      found = await look();
    }
    deepStrictEqual(found, wanted, "the daemon's counts");
  } finally {
    control.close();
  }
}
