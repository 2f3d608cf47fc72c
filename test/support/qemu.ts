/**
 * An unmodified QEMU of the distribution, as a process of one test: no default devices, no display, a
 * temporary folder, and a monitor (QMP) of its own. When the test ends, it is killed if it still runs, and
 * its end is awaited.
 *
 * By default no guest runs: the machine's processors are never started (`-S`) and the test itself reads and
 * writes ports and memory (`machine.qtest`). This needs neither KVM nor a guest's kernel and takes a fraction
 * of a second. Debian's QEMU is built without the accelerator `qtest`; the qtest server works with any
 * accelerator.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, chownSync, constants, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import type { Test } from 'tap';
import { plainEnvironment, temporaryFolder } from './daemon.js';
import { Qmp } from './qmp.js';
import { Qtest } from './qtest.js';

export const QEMU = 'qemu-system-x86_64';

function onPath(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The reason why QEMU cannot run here; undefined where it can. */
export const noQemu =
  process.arch !== 'x64'
    ? 'the tests of virtual machines are for x86-64'
    : onPath(QEMU)
      ? undefined
      : `${QEMU} is not installed`;

/**
 * The accelerator of a guest: KVM where the processor supports it, otherwise emulation. Where the machine has
 * an IOMMU, the interrupt controller must be QEMU's, not KVM's.
 */
export function guestAccelerator(): GuestAccelerator {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return /\b(vmx|svm)\b/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? 'kvm,kernel-irqchip=split' : 'tcg';
  } catch {
    return 'tcg';
  }
}

export type GuestAccelerator = 'kvm' | 'kvm,kernel-irqchip=split' | 'tcg';

export interface QemuOptions {
  /** The arguments that run a guest. Default: no guest runs, and the machine has a qtest. */
  readonly guest?: GuestAccelerator;
  /** The value of `-machine`. Default: pc, whose PCI bus supports hot-plug. */
  readonly machine?: string;
  /** Memory of the guest, in MiB. Default: 16. */
  readonly memory?: number;
  /** The user that it runs as. Default: the test's own user. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** The program and the arguments before QEMU's own. Default: QEMU. */
  readonly command?: readonly string[];
  /** fds of this process that become its 3, 4, ... Borrowed. */
  readonly fds?: readonly number[];
}

export interface QemuEnded {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Its standard error. */
  readonly errors: string;
}

/** Listens on a path that every user may connect to. Resolves to the first connection. */
async function listen(
  path: string,
  user: QemuOptions['user'],
): Promise<{ server: Server; first: Promise<Socket> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  if (user) chownSync(path, user.uid, user.gid);
  const first = new Promise<Socket>((resolve) => {
    server.once('connection', (socket) => {
      socket.on('error', () => {}); // Of a QEMU that was killed; its end is reported separately.
      resolve(socket);
    });
  });
  return { server, first };
}

export class Qemu {
  readonly pid: number;
  readonly qmp: Qmp;
  /** A monitor socket for a second QMP client besides the test. */
  readonly monitor: string;
  /** Its temporary folder. */
  readonly folder: string;
  readonly ended: Promise<QemuEnded>;
  readonly #qtest: Qtest | undefined;
  readonly #child: ChildProcess;
  readonly #output: () => string;

  private constructor(parts: {
    child: ChildProcess;
    qmp: Qmp;
    qtest: Qtest | undefined;
    folder: string;
    ended: Promise<QemuEnded>;
    output: () => string;
  }) {
    this.#child = parts.child;
    this.pid = parts.child.pid ?? 0;
    this.qmp = parts.qmp;
    this.#qtest = parts.qtest;
    this.folder = parts.folder;
    this.monitor = join(parts.folder, 'monitor');
    this.ended = parts.ended;
    this.#output = parts.output;
  }

  /**
   * Starts a machine with devices. Resolves once QEMU has created them all.
   * @param args of QEMU, such as ['-device', ...].
   * @throws Error with QEMU's message, if it ended instead.
   */
  static async start(t: Test, args: readonly string[], options: QemuOptions = {}): Promise<Qemu> {
    const { guest, machine = 'pc', memory = 16, user } = options;
    const folder = temporaryFolder(t);
    if (user) chownSync(folder, user.uid, user.gid);
    const qmp = await listen(join(folder, 'qmp'), user);
    const qtest = guest ? undefined : await listen(join(folder, 'qtest'), user);
    const [program = QEMU, ...before] = options.command ?? [QEMU];
    const child = spawn(
      program,
      [
        ...before,
        ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
        ...['-accel', guest ?? 'tcg', '-machine', machine, '-m', String(memory)],
        ...[
          '-qmp',
          `unix:${join(folder, 'qmp')}`,
          '-qmp',
          `unix:${join(folder, 'monitor')},server=on,wait=off`,
        ],
        ...(qtest ? ['-S', '-qtest', `unix:${join(folder, 'qtest')}`, '-qtest-log', '/dev/null'] : []),
        ...args,
      ],
      { stdio: ['ignore', 'pipe', 'pipe', ...(options.fds ?? [])], env: plainEnvironment(), ...user },
    );
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
      });
    }
    const ended = new Promise<QemuEnded>((resolve) => {
      child.once('error', ({ message }) => resolve({ code: null, signal: null, errors: message }));
      child.once('close', (code, signal) => resolve({ code, signal, errors: said.stderr }));
    });
    t.teardown(async () => {
      for (const { server } of [qmp, ...(qtest ? [qtest] : [])]) server.close();
      child.kill('SIGKILL');
      await ended;
    });
    const early = ended.then(({ code, signal, errors }) => {
      throw new Error(`QEMU ended (${code ?? signal}): ${errors.trim()}`);
    });
    early.catch(() => {}); // Once the machine is ready, its end is reported only to callers that ask for it.
    const ready = async () => ({
      qtest: qtest && new Qtest(await qtest.first),
      qmp: await Qmp.open(await qmp.first),
    });
    // If QEMU ends, its connections close first; that error is less informative.
    const parts = await Promise.race([ready().catch(() => early), early]);
    return new Qemu({ child, folder, ended, output: () => said.stdout, ...parts });
  }

  /** Acts as the guest's processor. */
  get qtest(): Qtest {
    if (!this.#qtest) throw new Error('a machine with a guest has no qtest');
    return this.#qtest;
  }

  /** Its standard output so far, such as the guest's console with `-serial stdio`. */
  get output(): string {
    return this.#output();
  }

  /** Ends it through its monitor, as a user would. Resolves to how it ended. */
  async quit(): Promise<QemuEnded> {
    // QEMU may end before it has sent the answer.
    await this.qmp.execute('quit').catch(() => this.ended);
    return this.ended;
  }

  /** Sends a signal. Resolves to how it ended. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<QemuEnded> {
    this.#child.kill(signal);
    return this.ended;
  }
}
