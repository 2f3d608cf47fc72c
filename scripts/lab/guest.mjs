/**
 * One guest of the lab: QEMU, with KVM where that works, on a disk whose changes are discarded. It has no network
 * but what `network` adds. It sees the checkout, read-only, as /opt/vkmemd.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../command.mjs';

export const QEMU = 'qemu-system-x86_64';
/** Where the guest sees the checkout. */
export const TREE = '/opt/vkmemd';
const PLAIN = [
  ...['-nodefaults', '-no-user-config', '-no-reboot'],
  ...['-display', 'none', '-machine', 'pc,usb=off,vmport=off'],
];
const MARK = '\x1e';
const CONSOLE_BYTES = 1 << 14;
const BOOT_MS = 300_000;
const CONSOLE_LINES = 40;
/** It ends QEMU, by -no-reboot, so that no job waits for that guest. */
const PANIC = 'panic=-1 oops=panic';
/** The device is bound by a module that udev loads, which may not have ended when the agent runs. */
const MOUNT = [
  `mkdir -p ${TREE}; mountpoint -q ${TREE} && exit; tries=0`,
  `until mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288 tree ${TREE}`,
  'do tries=$((tries + 1)); [ $tries -lt 20 ] || exit 1; sleep 1; done',
].join('; ');

const TCG = ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'Nehalem'];
const KVM = ['-accel', 'kvm', '-cpu', 'host'];
const PROBE_MS = 10_000;

/**
 * QEMU's options for the accelerator: KVM where a kernel starts under it, which /dev/kvm alone does not tell. That
 * kernel finds no root, and restarts, which ends QEMU.
 */
export function accelerate(image) {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return TCG;
  }
  if (!/^flags\s*:.* (vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))) return TCG;
  const kernel = ['-kernel', join(image, 'vmlinuz'), '-append', `${PANIC} quiet`];
  const args = [...KVM, '-m', '256', ...PLAIN, ...kernel];
  return spawnSync(QEMU, args, { stdio: 'ignore', timeout: PROBE_MS }).status === 0 ? KVM : TCG;
}

/** The reason why no guest can run here; undefined where one can. */
export function noGuest() {
  if (process.arch !== 'x64') return `guests are x86_64, this machine is ${process.arch}`;
  const { status } = spawnSync(QEMU, ['--version']);
  return status === 0 ? undefined : `${QEMU} cannot be run; install qemu-system-x86`;
}

export class Guest {
  #qemu;
  #folder = mkdtempSync(join(tmpdir(), 'vkmemd-lab-'));
  #port;
  #console = '';
  /** Calls of run() that wait for their end, by number. */
  #commands = new Map();
  #next = 1;
  #rest = '';
  #current;
  /** Called when its agent runs, at each boot. */
  #onReady;
  #ended;

  /**
   * Boots it.
   * @param image The folder with disk, vmlinuz and initrd (image.mjs).
   * @param options `acceleration`, of accelerate(); `memory` in MiB; `processors`; `network`, QEMU's
   *   options; `name`, for messages.
   * @returns the guest, with the seconds that the boot took in `booted`.
   * @throws Error with the end of its console if it does not boot.
   */
  static async boot(image, options) {
    const guest = new Guest(image, options);
    try {
      const began = performance.now();
      await guest.#within(guest.#ready(), BOOT_MS, 'the boot');
      guest.booted = (performance.now() - began) / 1000;
      await guest.#mount();
      return guest;
    } catch (failure) {
      await guest.end();
      throw failure;
    }
  }

  constructor(image, { name, acceleration = TCG, memory = 2048, processors = 2, network = [] }) {
    this.name = name;
    process.once('exit', () => rmSync(this.#folder, { recursive: true, force: true }));
    const socket = join(this.#folder, 'port');
    const server = createServer((port) => {
      server.close();
      this.#port = port.setEncoding('utf8');
      port.on('data', (text) => this.#hear(text));
      port.on('error', () => {}); // QEMU has ended, which #ended says.
    });
    const listening = new Promise((resolve) => server.listen(socket, resolve));
    this.#ended = listening.then(() =>
      this.#start(image, { socket, acceleration, memory, processors, network }),
    );
    this.#ended.finally(() => server.close());
  }

  #start(image, { socket, acceleration, memory, processors, network }) {
    const commandLine = `root=/dev/vda rw console=ttyS0 loglevel=4 net.ifnames=0 TERM=dumb mitigations=off ${PANIC}`;
    const args = [
      ...PLAIN,
      ...acceleration,
      ...['-serial', 'stdio'],
      ...[
        '-m',
        String(memory),
        '-smp',
        String(processors),
        '-object',
        'rng-random,filename=/dev/urandom,id=rng',
      ],
      ...['-device', 'virtio-rng-pci,rng=rng', '-device', 'virtio-serial-pci'],
      ...['-chardev', `socket,id=lab,path=${socket}`, '-device', 'virtserialport,chardev=lab,name=lab'],
      ...['-drive', `file=${join(image, 'disk')},format=raw,if=none,id=disk,snapshot=on,cache=unsafe`],
      ...['-device', 'virtio-blk-pci,drive=disk'],
      ...['-fsdev', `local,id=tree,path=${root},security_model=none,readonly=on,multidevs=remap`],
      ...['-device', 'virtio-9p-pci,fsdev=tree,mount_tag=tree'],
      ...['-kernel', join(image, 'vmlinuz'), '-initrd', join(image, 'initrd'), '-append', commandLine],
      ...network,
    ];
    // TMPDIR: the changes of the disk are kept there.
    const env = { ...process.env, TMPDIR: this.#folder };
    // If this process is killed, the guest ends too.
    this.#qemu = spawn('setpriv', ['--pdeathsig', 'KILL', QEMU, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    for (const stream of [this.#qemu.stdout, this.#qemu.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#console = (this.#console + text).slice(-CONSOLE_BYTES);
      });
    }
    return new Promise((resolve) => {
      this.#qemu.once('error', (error) => resolve(error.message));
      this.#qemu.once('close', (code, signal) => resolve(`it ended with ${code ?? signal}`));
    });
  }

  /** The last lines of its console. */
  get console() {
    const lines = this.#console.replaceAll('\r', '').trimEnd().split('\n').slice(-CONSOLE_LINES);
    return lines.map((line) => `  console  ${line}`).join('\n');
  }

  /**
   * Runs a command of the shell as root. One at a time.
   * @param ms Its maximum time; the guest cannot be used after that.
   * @param say Receives its output as it comes; without it, the output is returned.
   * @throws Error with the end of the console if it does not end in time, or the guest ends.
   */
  async run(command, ms, say) {
    if (command.includes('\n')) throw new Error('a command of the lab is one line');
    const number = this.#next;
    this.#next += 1;
    let output = '';
    const hear =
      say ??
      ((text) => {
        output += text;
      });
    const ended = new Promise((resolve) => this.#commands.set(number, resolve));
    this.#current = hear;
    this.#port.write(`${number} ${command}\n`);
    const status = await this.#within(ended, ms, command);
    return { status, output };
  }

  /** Runs a command that restarts its user space, such as `systemctl soft-reboot`. @throws Error as run(). */
  async restart(command) {
    const ready = this.#ready();
    this.#current = () => {};
    this.#port.write(`0 ${command}\n`);
    await this.#within(ready, BOOT_MS, command);
    await this.#mount();
  }

  #ready() {
    return new Promise((resolve) => {
      this.#onReady = resolve;
    });
  }

  async #mount() {
    const { status, output } = await this.run(MOUNT, 60_000);
    if (status !== 0) throw new Error(`the checkout could not be mounted: ${output}`);
  }

  /** Ends it at once. */
  async end() {
    this.#qemu?.kill('SIGKILL');
    await this.#ended;
    this.#port?.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #within(work, ms, what) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, ms, `${what} took more than ${ms / 1000} s`);
    });
    const why = Promise.race([late, this.#ended]).then((text) => {
      throw new Error(`${this.name}: ${text}\n${this.console}`);
    });
    try {
      return await Promise.race([work, why]);
    } finally {
      clearTimeout(timer);
      why.catch(() => {}); // The work has ended before.
    }
  }

  /** Separates the output of commands from the lines that say how they ended. */
  #hear(text) {
    this.#rest += text;
    for (;;) {
      const at = this.#rest.indexOf(MARK);
      const said = at < 0 ? this.#rest : this.#rest.slice(0, at);
      if (said !== '') this.#current?.(said);
      this.#rest = this.#rest.slice(said.length);
      const end = this.#rest.indexOf('\n');
      if (end < 0) return;
      const line = this.#rest.slice(MARK.length, end);
      this.#rest = this.#rest.slice(end + 1);
      if (line === 'ready') {
        this.#onReady?.();
        continue;
      }
      const [number, status] = line.split(' ').map(Number);
      this.#commands.get(number)?.(status);
      this.#commands.delete(number);
    }
  }
}
