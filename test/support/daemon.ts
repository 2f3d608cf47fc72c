/**
 * A real daemon, as a process of its own, for one test: private runtime folder, on the driver under test.
 *
 * When the test ends, whatever it opened must be gone: the counts and every heap's account are back to zero,
 * the daemon exits 0 on SIGTERM, its sockets are removed.
 */
import { deepStrictEqual, equal } from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { Counts, HeapBudget } from '@vkmemd/proto';
import type { Test } from 'tap';
import { ControlWire } from './control-wire.js';

/** A policy that lets every user in whom the socket's mode lets connect. */
export const ANYBODY = '[[rule]]\nconnect = true\n';

/** The checkout. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const daemonProgram = join(root, 'daemon/dist/main.js');

const ICD_FOLDER = '/usr/share/vulkan/icd.d';

/** The driver under test, as the loader's description of it: $VKMEMD_TEST_DRIVER, or Mesa's lavapipe. */
export function driverUnderTest(): string {
  return process.env.VKMEMD_TEST_DRIVER ?? lavapipe();
}

/** The loader's description of Mesa's lavapipe. */
export function lavapipe(): string {
  const file = readdirSync(ICD_FOLDER).find((name) => name.startsWith('lvp_icd'));
  if (!file) throw new Error(`no lavapipe in ${ICD_FOLDER}; install mesa-vulkan-drivers`);
  return join(ICD_FOLDER, file);
}

export interface TestDaemon {
  readonly runtimeDir: string;
  readonly pid: number;
  /** What it said when it was ready. */
  readonly line: string;
  /** What it logged so far. */
  readonly log: () => string;
  /** The policy's file. */
  readonly config: string;
  /** Sends a signal and resolves to how the process ended. */
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface DaemonOptions {
  readonly runtimeDir?: string;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** The policy, as TOML; without one, nobody but operators and the daemon's group may connect. */
  readonly policy?: string;
  /** The folder that the daemon takes for / when it looks for its policy, in place of `policy`. */
  readonly configRoot?: string;
  /** Whom it runs as, in place of the test's own user. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /**
   * The test ends the daemon itself, or leaves it with something on purpose: nothing is asserted at the end.
   */
  readonly unchecked?: boolean;
}

/** Every count that must be zero when nobody uses the daemon. */
export const NOTHING: Counts = {
  sessions: 0,
  allocations: 0,
  drainingAllocations: 0,
  grants: 0,
  fds: 0,
  deviceMemories: 0,
};

/** A temporary folder that is removed when the test ends. */
export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'vkmemd-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * A Node.js program as spawn() takes it, without what the test runner loads into every Node.js process: it
 * puts that into the environment of whatever is spawned, so `env` takes it out again, and becomes the
 * program.
 */
export function plainNode(args: readonly string[]): [string, string[]] {
  return ['env', ['-u', 'NODE_OPTIONS', process.execPath, ...args]];
}

/** The environment without what the test runner put into this process's. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _runner, ...rest } = process.env;
  return rest;
}

/** Starts a daemon and waits until it serves. */
export async function startDaemon(t: Test, options: DaemonOptions = {}): Promise<TestDaemon> {
  const runtimeDir = options.runtimeDir ?? temporaryFolder(t);
  const files = options.env?.VK_DRIVER_FILES ?? driverUnderTest();
  const env = { ...plainEnvironment(), ...options.env, VK_DRIVER_FILES: files };
  const folder = temporaryFolder(t);
  const config = join(folder, 'policy.toml');
  writeFileSync(config, options.policy ?? '');
  const source = options.configRoot ? ['--config-root', options.configRoot] : ['--config', config];
  const args = [daemonProgram, '--runtime-dir', runtimeDir, ...source, ...(options.args ?? [])];
  const { user } = options;
  if (user) for (const path of [runtimeDir, folder]) chownSync(path, user.uid, user.gid);
  const child = spawn(...plainNode(args), { env, ...user });
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

/**
 * Ends the daemon, which must hold nothing and go well. What fails here fails the test, and is printed by us.
 */
async function checkedStop(runtimeDir: string, stop: TestDaemon['stop'], log: () => string): Promise<void> {
  try {
    try {
      await requireCounts(runtimeDir, NOTHING);
    } finally {
      deepStrictEqual(await stop(), { code: 0, signal: null }, 'the daemon ends well');
    }
    equal(existsSync(join(runtimeDir, 'handoff.sock')), false, 'its sockets are gone');
  } catch (failure) {
    console.error(failure, log());
    throw failure;
  }
}

/** What a daemon says once it serves, from a line of its log; undefined from any other line. */
export function startLineOf(line: string): string | undefined {
  const said = /"msg":("vkmemd \S+ ready: .*?[^\\]")/.exec(line)?.[1];
  return said && JSON.parse(said);
}

/** Resolves to it. @param note is told all other lines of standard output, now and later. */
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

/** Asserts that the daemon comes to hold nothing. */
export async function assertNoLeaks(t: Test, runtimeDir: string): Promise<void> {
  await assertCounts(t, runtimeDir, NOTHING);
}

/** Asserts that the daemon comes to hold just so much. */
export async function assertCounts(t: Test, runtimeDir: string, expected: Partial<Counts>): Promise<void> {
  await t.resolves(requireCounts(runtimeDir, { ...NOTHING, ...expected }), 'the daemon holds what it should');
}

/**
 * Waits up to 5 s for the counts, and for empty accounts where nothing is to be held: a request of a client
 * that was killed may still be under way. Throws where it does not come to that.
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
    deepStrictEqual(found, wanted, 'what the daemon holds');
  } finally {
    control.close();
  }
}
