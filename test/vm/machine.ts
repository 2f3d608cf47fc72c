/**
 * Real QEMU for the tests of vkmemctl: its monitor, and the guest's part in releasing a device, which is
 * simulated over the qtest socket, because no guest runs. Its processors are TCG's.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { OwnedFd } from '@vkmemd/proto';
import type { Test } from 'tap';
import { root, temporaryFolder } from '../support/daemon.js';
import { until } from '../support/supervised-daemon.js';

export const QEMU = 'qemu-system-x86_64';
/** The reason why no machine can run here; undefined where one can. */
export const noQemu =
  spawnSync(QEMU, ['--version']).status === 0 ? undefined : `${QEMU} cannot be run; install qemu-system-x86`;

export interface Qmp {
  execute(command: string, fields?: Readonly<Record<string, unknown>>, fd?: OwnedFd): Promise<unknown>;
  close(): void;
}
const qmp = (await import(join(root, 'client/typescript/dist/vm/qmp.js'))) as {
  Qmp: { connect(path: string, timeoutMs?: number): Promise<Qmp> };
};
export const { Qmp: Monitor } = qmp;

type Fields = Readonly<Record<string, unknown>>;
const hotplugging = (await import(join(root, 'client/typescript/dist/vm/hotplug.js'))) as {
  hotplug(qmp: Qmp, request: Fields): Promise<void>;
  listHotplugged(qmp: Qmp): Promise<{ readonly device: string | undefined }[]>;
  hotUnplug(qmp: Qmp, memory: unknown, timeoutMs: number): Promise<void>;
};
export const { hotplug, listHotplugged, hotUnplug } = hotplugging;

/** The sockets of one machine, and their options. */
export class Sockets {
  readonly qmp: string;
  readonly options: readonly string[];
  readonly #qtest: string;

  constructor(t: Test) {
    const folder = temporaryFolder(t);
    this.qmp = join(folder, 'qmp.sock');
    this.#qtest = join(folder, 'qtest.sock');
    const socket = (path: string) => `unix:${path},server=on,wait=off`;
    this.options = [
      ...['-accel', 'tcg', '-nodefaults', '-display', 'none', '-qtest-log', '/dev/null'],
      ...['-qmp', socket(this.qmp), '-qtest', socket(this.#qtest)],
    ];
  }

  /** The monitor, once the machine has started. */
  async monitor(): Promise<Qmp> {
    return until('a monitor', () => Monitor.connect(this.qmp).catch(() => undefined));
  }

  /**
   * Reads by qtest which PCI devices the guest must release, and acknowledges all of them in the guest's
   * place.
   */
  async release(): Promise<void> {
    const socket = createConnection(this.#qtest);
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    const ask = async (command: string): Promise<string> => {
      socket.write(`${command}\n`);
      return String((await lines.next()).value);
    };
    await ask('outl 0xae10 0'); // bus 0, of the ACPI interface of the machine "pc"
    await until('a request to release a device', async () => {
      const [, slots = '0'] = (await ask('inl 0xae04')).split(' ');
      if (Number(slots) === 0) return undefined;
      return ask(`outl 0xae08 ${slots}`);
    });
    socket.destroy();
  }
}

/** Starts a machine for this test only. */
export async function startMachine(t: Test, ...more: string[]): Promise<Sockets & { child: ChildProcess }> {
  const sockets = new Sockets(t);
  const child = spawn(QEMU, [...sockets.options, ...more], { stdio: ['ignore', 'ignore', 'inherit'] });
  t.teardown(() => stop(child));
  (await sockets.monitor()).close();
  return Object.assign(sockets, { child });
}

/** Ends a process in any state. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

export const fdsOf = (pid = 0): number => readdirSync(`/proc/${pid}/fd`).length;
