/**
 * The daemon that the test files of a guest share, since an emulated processor needs long to start one. The first
 * file starts it, and it ends with the guest. Each file leaves nothing in it.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import {
  daemonProgram,
  driverUnderTest,
  plainEnvironment,
  plainNode,
  requireNothing,
  startLineOf,
} from '../support/daemon.js';
import { eventually } from './installed.js';

const FOLDER = '/run/lab-daemon';
const [POLICY, LOG, PID] = ['policy.toml', 'log', 'pid'].map((name) => join(FOLDER, name)) as [
  string,
  string,
  string,
];

export interface SharedDaemon {
  readonly runtimeDir: string;
  readonly pid: number;
}

function start(): void {
  mkdirSync(FOLDER, { mode: 0o755 });
  writeFileSync(POLICY, '');
  const log = openSync(LOG, 'a');
  const options = ['--runtime-dir', join(FOLDER, 'run'), '--config', POLICY];
  const importing = ['--allow-import', String(process.getuid?.() ?? 0)];
  const child = spawn(...plainNode([daemonProgram, ...options, ...importing]), {
    detached: true,
    env: { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() },
    stdio: ['ignore', log, log],
  });
  child.unref();
  writeFileSync(PID, String(child.pid));
}

const readyLine = () =>
  readFileSync(LOG, 'utf8')
    .split('\n')
    .find((line) => startLineOf(line) !== undefined);

/** Resolves once it serves. At the end of the test it must hold nothing. Tests may import. */
export async function sharedDaemon(t: Test): Promise<SharedDaemon> {
  try {
    start();
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'EEXIST') throw failure;
  }
  await eventually(`${LOG} says that the daemon is ready`, readyLine);
  const runtimeDir = join(FOLDER, 'run');
  t.teardown(() => requireNothing(runtimeDir));
  return { runtimeDir, pid: Number(readFileSync(PID, 'utf8')) };
}
