/**
 * The supervisor: what the daemon needs of a service manager, where there is none. It starts the daemon,
 * starts it again when it ends, and holds the fds that the daemon stored in the meantime.
 *
 * The daemon notifies it as it notifies systemd, by sd_notify's datagrams to a socket that only this user can
 * reach. Only notifications of the child are accepted: the kernel attaches the sender's credentials. Those
 * that the child sent before its end are processed before the next child is started. The only answer is that
 * the fd of a BARRIER=1 is closed.
 *
 * A child that ended is started again after 100 ms. The delay doubles up to 10 s, and is reset by a child
 * that was ready for a minute. The supervisor never gives up, except on the first child: if that exits with
 * EX_USAGE or EX_CONFIG, the supervisor exits with the same status.
 */
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeAll, DatagramReceiver, type ReceivedDatagram } from '@vkmemd/proto/kernel';
import type { Logger } from 'pino';
import { Child, type Command, type Exit } from './child.js';
import type { FdStore } from './fd-store.js';
import type { Manager } from './manager.js';
import { MAX_NOTIFICATION_BYTES, parseNotification } from './notification.js';
import type { Settings } from './settings.js';

/** Exit statuses (sysexits.h) of a child that would fail again: its command line, its configuration. */
export const EX_USAGE = 64;
export const EX_CONFIG = 78;

export class Supervisor implements Disposable {
  readonly #command: Command;
  readonly #settings: Settings;
  readonly #fds: FdStore;
  readonly #manager: Manager;
  readonly #log: Logger;
  readonly #address: string;
  readonly #receiver: DatagramReceiver;
  #stopped = false;
  #child: Child | undefined;
  #restart = false;
  /** Ends the delay before the next child. */
  #delayAbort = new AbortController();

  /**
   * @param address The path of its socket: nothing exists there, and no other user can enter the folder.
   * @param fds Owned: closed with the supervisor.
   * @throws KernelError where the address cannot be bound.
   */
  constructor(
    command: Command,
    address: string,
    fds: FdStore,
    manager: Manager,
    settings: Settings,
    log: Logger,
  ) {
    this.#command = command;
    this.#settings = settings;
    this.#fds = fds;
    this.#manager = manager;
    this.#log = log;
    this.#address = address;
    const on = {
      message: (datagram: ReceivedDatagram) => this.#receive(datagram),
      error: (err: Error) => log.error({ err }, 'a notification could not be received'),
    };
    this.#receiver = DatagramReceiver.bind(address, on, { maxBytes: MAX_NOTIFICATION_BYTES });
  }

  /** Runs one child after another until stop(). Resolves to the exit status of the last one. */
  async run(): Promise<number> {
    const { firstDelayMs, maxDelayMs, stableMs } = this.#settings;
    let delay = firstDelayMs;
    for (let start = 1; ; start += 1) {
      const { readyMs, ...exit } = await this.#runChild(start);
      if (this.#stopped) return statusOf(exit);
      if (start === 1 && (exit.code === EX_USAGE || exit.code === EX_CONFIG)) return exit.code;
      if ((readyMs ?? 0) >= stableMs) delay = firstDelayMs;
      const wait = this.#restart ? 0 : delay;
      if (!this.#restart) delay = Math.min(delay * 2, maxDelayMs);
      this.#restart = false;
      const { code, signal, failure } = exit;
      this.#log.warn(
        { code, signal, err: failure, fds: this.#fds.size, inMs: wait },
        'the daemon ended: it is started again',
      );
      this.#manager.status('The daemon ended and is started again.');
      this.#delayAbort = new AbortController();
      // An abort is no failure: stop() and restart() end the delay by it.
      await sleep(wait, undefined, { signal: this.#delayAbort.signal }).catch(() => undefined);
      if (this.#stopped) return 0;
    }
  }

  /** Stops the child, and starts no other: run() resolves when the child has ended. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#delayAbort.abort();
    this.#manager.stopping();
    this.#child?.stop();
  }

  /** Stops the child, and starts another without delay, from the program that is at the path then. */
  restart(): void {
    this.#restart = this.#child !== undefined;
    this.#child?.stop();
    this.#delayAbort.abort();
  }

  /** Sends the child a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  [Symbol.dispose](): void {
    this.#receiver.close();
    this.#fds[Symbol.dispose]();
  }

  async #runChild(start: number): Promise<Exit & { readyMs: number | undefined }> {
    const stored = this.#fds.list();
    const child = new Child(this.#command, this.#address, stored, this.#settings, () => {
      this.#log.error({ child: child.pid }, 'the daemon is silent: it is aborted');
    });
    this.#child = child;
    this.#log.info({ child: child.pid, start, fds: stored.length }, 'the daemon was started');
    const exit = await child.exited;
    const { readyMs } = child;
    this.#receiver.drain();
    this.#child = undefined;
    return { ...exit, readyMs };
  }

  #receive({ data, fds, sender, truncated }: ReceivedDatagram): void {
    const child = this.#child;
    if (!child || sender.pid === 0 || sender.pid !== child.pid) {
      this.#log.warn({ sender }, 'somebody else sent a notification: it is ignored');
      closeAll(fds);
      return;
    }
    if (truncated.data || truncated.fds) {
      this.#log.error(truncated, 'a notification did not arrive whole: it is ignored');
      closeAll(fds);
      return;
    }
    const notification = parseNotification(data);
    if (notification.get('FDSTOREREMOVE') === '1') {
      this.#fds.remove(notification.get('FDNAME') ?? '');
      closeAll(fds);
    } else if (notification.get('FDSTORE') === '1') {
      const { dropped } = this.#fds.add(notification.get('FDNAME'), fds);
      if (dropped > 0)
        this.#log.error({ dropped, max: this.#fds.max }, 'the fd store is full: fds were not stored');
    } else {
      // Including the fd of a BARRIER=1: closing it is the answer.
      closeAll(fds);
    }
    const before = child.readyMs;
    child.onNotification(notification);
    if (before === undefined && child.readyMs !== undefined)
      this.#log.info({ child: child.pid }, 'the daemon is ready');
    this.#manager.forward(notification);
  }
}

/** The status that a shell reports: 128 + N for signal N. */
function statusOf({ code, signal }: Exit): number {
  if (code !== null) return code;
  return signal === null ? 1 : 128 + constants.signals[signal];
}
