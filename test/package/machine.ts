/**
 * A machine for one test, to install the package on: systemd as PID 1 in namespaces of its own, on a
 * copy-on-write view of this machine's root (boot.sh). Nothing done in it changes this machine, and nothing
 * remains of it.
 *
 * Limits: the kernel, its drivers and the network are this machine's. Its only device nodes are null, zero
 * and the like, so the daemon finds only software drivers.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { plainEnvironment, root } from '../support/daemon.js';
import { noOtherUser } from '../support/uid.js';
import { lacking } from './support.js';

const PROGRAM = join(root, 'test/package/boot.sh');
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const BOOT_MS = 30_000;

/** How a command ended. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const soon = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs one phase of boot.sh until it ends. */
function phase(name: string, folder: string): Outcome {
  const args = ['--mount', PROGRAM, name, folder, basename(folder), ''];
  return spawnSync('unshare', args, { encoding: 'utf8', env: plainEnvironment(), timeout: BOOT_MS });
}

const newFolder = () => mkdtempSync(join(tmpdir(), 'vkmemd-machine-'));

/** The reason why such a machine is impossible here; false where it is possible. */
export function noMachine(): string | false {
  const missing = lacking('unshare', 'setpriv', 'nsenter', 'systemctl', 'pivot_root', 'dpkg');
  if (missing || noOtherUser) return missing || noOtherUser || false;
  const folder = newFolder();
  try {
    const { status, stderr } = phase('probe', folder);
    return status !== 0 && `namespaces, or mounts in them, are refused: ${stderr.trim()}`;
  } finally {
    rmdirSync(folder);
  }
}

export class Machine {
  readonly #folder: string;
  readonly #unshare: ChildProcess;
  readonly #ended: Promise<unknown>;
  /** The pid of systemd on this machine. */
  #systemd = 0;
  #said = '';

  /** @param file a package, which is /opt/vkmemd.deb inside. */
  static async boot(file: string): Promise<Machine> {
    const machine = new Machine(file);
    try {
      await machine.#booted();
      return machine;
    } catch (failure) {
      await machine.end();
      throw failure;
    }
  }

  private constructor(file: string) {
    this.#folder = newFolder();
    // If the test is killed, the machine ends too.
    const withUs = ['setpriv', '--pdeathsig', 'KILL', PROGRAM, 'begin'];
    const args = ['--mount', ...withUs, this.#folder, basename(this.#folder), file];
    const env = plainEnvironment();
    this.#unshare = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    for (const stream of [this.#unshare.stdout, this.#unshare.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text;
      });
    }
    this.#ended = new Promise((resolve) => this.#unshare.once('close', resolve));
  }

  async #booted(): Promise<void> {
    for (const end = Date.now() + BOOT_MS; ; await soon(50)) {
      if (this.#unshare.exitCode !== null || Date.now() > end) {
        throw new Error(`systemd did not start: ${this.#said}`);
      }
      const { pid } = this.#unshare;
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
      // Before it becomes systemd, the child is the script.
      if (!/^\d+$/.test(children) || !nameOf(children).startsWith('systemd')) continue;
      this.#systemd = Number(children);
      if (this.run('systemctl', 'is-system-running', '--wait').stdout.trim() === 'running') return;
    }
  }

  /** Runs a command inside as root, until it ends. */
  run(...command: string[]): Outcome {
    const namespaces = ['--mount', '--pid', '--cgroup', '--ipc', '--uts', '--root', '--wd'];
    const clean = ['env', '-i', `PATH=${PATH}`, 'LC_ALL=C.UTF-8', 'DEBIAN_FRONTEND=noninteractive'];
    const args = ['--target', String(this.#systemd), ...namespaces, ...clean, ...command];
    return spawnSync('nsenter', args, { encoding: 'utf8', timeout: 60_000 });
  }

  /** Runs a command inside as another user. */
  runAs(user: string, ...command: string[]): Outcome {
    return this.run('runuser', '-u', user, '--', ...command);
  }

  /** Ends all its processes. @throws Error if anything remains. */
  async end(): Promise<void> {
    // The kernel kills all other processes of PID 1's namespace, and removes its mounts with the last one.
    this.#unshare.kill('SIGKILL');
    await this.#ended;
    const { status, stderr } = await this.#removeControlGroups();
    const left = readdirSync(this.#folder);
    if (status !== 0 || left.length > 0)
      throw new Error(`of the machine is left: ${stderr} ${left.join(' ')}`);
    rmdirSync(this.#folder);
  }

  /** A killed process stays in its control group until it has been reaped. */
  async #removeControlGroups(): Promise<Outcome> {
    for (const end = Date.now() + 5000; ; await soon(50)) {
      const outcome = phase('end', this.#folder);
      if (outcome.status === 0 || Date.now() > end) return outcome;
    }
  }
}

/** The name of a process; '' once it has ended. */
function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8');
  } catch {
    return '';
  }
}
