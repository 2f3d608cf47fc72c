/**
 * A booted system: systemd as process 1 of its own namespaces (boot.sh), with the units as installed
 * (given.ts).
 *
 * Users: `worker` is a member of vkmem, `outsider` is not. Its processes are in a control group on the host,
 * by which they are found. At the end the processes, their mounts, the control group and the folder are
 * removed.
 */
import { equal, ok } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'tap';
import { plainEnvironment, root } from '../support/daemon.js';
import { until } from '../support/supervised-daemon.js';
import { writeGiven } from './given.js';
import { apart, ownGroup, removeGroups } from './namespaces.js';
import { NODE, TREE } from './places.js';

const PATH = 'PATH=/usr/sbin:/usr/bin:/sbin:/bin';
export const SERVICE = 'vkmemd.service';

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Whether it is a front, or its launcher; also of a daemon that was killed, which it outlives for a moment. */
function isFront(pid: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    // A process that is ending has no memory any more, and no command line.
    return command === '' || /bin\/front\.js\0|front_launcher\0/.test(command);
  } catch {
    return true; // It has ended.
  }
}

export class Booted {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vkmemd-boot-'));
  readonly #group: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #said = '';

  private constructor(more: string, files: Readonly<Record<string, string>>) {
    this.#group = join(ownGroup() ?? '', `${this.#folder.split('/').at(-1)}`);
    for (const name of ['given', 'root']) mkdirSync(join(this.#folder, name));
    mkdirSync(this.#group);
    writeGiven(join(this.#folder, 'given'), more, files);
    const script = join(root, 'test/boot/boot.sh');
    const [place, given] = [join(this.#folder, 'root'), join(this.#folder, 'given')];
    const args = apart(this.#group, script, place, given, root, process.execPath);
    this.#child = spawn('sh', args, { env: plainEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
    const say = (text: Buffer) => {
      this.#said = (this.#said + text).slice(-1 << 14);
    };
    this.#child.stdout?.on('data', say);
    this.#child.stderr?.on('data', say);
    this.#exited = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  /**
   * Boots it, and waits until the sockets listen.
   * @param more lines of [Service] for the daemon.
   * @param files further files, by their paths without the leading slash; those in a folder of generators are executable.
   */
  static async start(t: Test, more = '', files: Readonly<Record<string, string>> = {}): Promise<Booted> {
    const booted = new Booted(more, files);
    t.teardown(() => booted.#end());
    await until(`the boot is complete: ${booted.#said}`, async () => {
      if (booted.#child.exitCode !== null) throw new Error(`the system did not boot: ${booted.#said}`);
      if (booted.#init === undefined) return undefined;
      const { stdout } = await booted.run('systemctl', 'is-active', 'boot.target');
      return stdout.trim() === 'active' || waited();
    });
    return booted;
  }

  /** The pid of its process 1 on the host. */
  get #init(): number | undefined {
    const { pid } = this.#child;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return Number(children) || undefined;
  }

  /** The path on the host of a path inside. */
  path(inside: string): string {
    return `/proc/${this.#init}/root${inside}`;
  }

  /** Runs a command inside, as root. */
  run(...command: string[]): Promise<Ran> {
    // Without the variables that the test runner adds to the environment of child processes.
    const args = ['--target', String(this.#init), '--all', 'env', '-i', PATH, ...command];
    const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status) => resolve({ status, stdout, stderr }));
    });
  }

  runAs(user: string, ...command: string[]): Promise<Ran> {
    return this.run('setpriv', '--reuid', user, '--regid', user, '--init-groups', ...command);
  }

  vkmemctl(user: string, ...args: string[]): Promise<Ran> {
    return this.runAs(user, NODE, `${TREE}/client/typescript/bin/vkmemctl.js`, ...args);
  }

  /** @throws Error if it fails. @returns its output. */
  async systemctl(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run('systemctl', ...args);
    if (status !== 0) throw new Error(`systemctl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Properties of a unit, by name. */
  async show<K extends string>(unit: string, ...names: K[]): Promise<Record<K, string>> {
    const text = await this.systemctl('show', `--property=${names.join(',')}`, unit);
    const pairs = text
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
    return Object.fromEntries(pairs) as Record<K, string>;
  }

  /** Entries of the journal with these matches (FIELD=value). */
  async journal(...matches: string[]): Promise<Record<string, string>[]> {
    const { stdout } = await this.run('journalctl', '--output=json', '--no-pager', '--sync').then(() =>
      this.run('journalctl', '--output=json', '--no-pager', ...matches),
    );
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, string>);
  }

  /** The processes of a unit, by their pids on the host, without the daemon's front. */
  pids(unit = SERVICE): number[] {
    try {
      const text = readFileSync(join(this.#group, 'system.slice', unit, 'cgroup.procs'), 'utf8');
      return text
        .split('\n')
        .filter((pid) => pid !== '' && !isFront(pid))
        .map(Number);
    } catch {
      return []; // The group exists only while the unit runs.
    }
  }

  /** Sends the daemon a signal. @returns the time, in milliseconds of CLOCK_MONOTONIC. */
  signal(signal: NodeJS.Signals): number {
    const [pid] = this.pids();
    ok(pid, 'the daemon runs');
    const now = monotonic();
    process.kill(pid, signal);
    return now;
  }

  /**
   * Waits until another invocation of the daemon is ready.
   * @returns the time at which it was ready, in milliseconds of CLOCK_MONOTONIC.
   */
  async ready(before: string): Promise<number> {
    return until('another daemon is ready', async () => {
      const names = ['ActiveState', 'InvocationID', 'ActiveEnterTimestampMonotonic'] as const;
      const { ActiveState, InvocationID, ActiveEnterTimestampMonotonic } = await this.show(SERVICE, ...names);
      if (ActiveState !== 'active' || InvocationID === before) return waited();
      return Number(ActiveEnterTimestampMonotonic) / 1000;
    });
  }

  /** Waits until systemd keeps no fd for the daemon. */
  async emptyStore(): Promise<void> {
    await until('the fd store is empty', async () => {
      const { NFileDescriptorStore } = await this.show(SERVICE, 'NFileDescriptorStore');
      return NFileDescriptorStore === '0' || waited();
    });
  }

  /** Adds a drop-in for the daemon, which applies from its next start. */
  async dropIn(name: string, lines: string): Promise<void> {
    writeFileSync(this.path(`/etc/systemd/system/${SERVICE}.d/${name}.conf`), `[Service]\n${lines}`);
    await this.systemctl('daemon-reload');
  }

  /** Kills all processes and removes the system. */
  async #end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
    await until('the control group is empty', () => {
      const events = readFileSync(join(this.#group, 'cgroup.events'), 'utf8');
      return events.includes('populated 0') || undefined;
    });
    removeGroups(this.#group);
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    equal(mounts.includes(this.#folder), false, 'nothing is mounted');
    // An empty mount point.
    rmdirSync(join(this.#folder, 'root'));
    rmSync(this.#folder, { recursive: true });
  }
}

/** Polls slowly, because each query of systemd takes processor time from the daemon. */
const waited = async (): Promise<undefined> => pause(100, undefined);

/** In milliseconds of CLOCK_MONOTONIC, as systemd reports times. */
export const monotonic = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;
