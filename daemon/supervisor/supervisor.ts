/**
 * The supervisor: the part of a service manager that the daemon needs, for hosts without one. It starts the
 * daemon, restarts it when it ends, and holds the fds that the daemon has stored.
 *
 * The daemon sends the same notifications as to systemd: datagrams of sd_notify, to a socket that only this
 * user can reach. Only notifications of the child are accepted, by the sender's credentials that the kernel
 * attaches. Notifications that the child sent before its end are processed before the next child is started.
 * The supervisor sends nothing back; it closes the fd of a BARRIER=1.
 *
 * A child that ended is restarted after 100 ms. The delay doubles up to 10 s, and is reset by a child that
 * was ready for a minute. The supervisor restarts without limit, with one exception: if the first child exits
 * with EX_USAGE or EX_CONFIG, the supervisor exits with the same status, unless it is one of several (fleet.ts).
 */
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeAll, DatagramReceiver, type ReceivedDatagram } from '@vkmemd/proto/kernel';
import type { Logger } from 'pino';
import { EX_CONFIG, EX_USAGE } from '../exit-status.js';
import { Child, type Command, type Exit } from './child.js';
import type { FdStore } from './fd-store.js';
import type { Manager } from './manager.js';
import { MAX_NOTIFICATION_BYTES, parseNotification } from './notification.js';
import type { Settings } from './settings.js';

/** What a supervisor reports to: the service manager, or the fleet that it is a member of. */
export type Reports = Pick<Manager, 'forward' | 'status' | 'stopping'>;

export class Supervisor implements Disposable {
  readonly #command: Command;
  readonly #settings: Settings;
  readonly #fds: FdStore;
  readonly #manager: Reports;
  readonly #isLast: (status: number) => boolean;
  readonly #log: Logger;
  readonly #address: string;
  readonly #receiver: DatagramReceiver;
  #stopped = false;
  #child: Child | undefined;
  #restart = false;
  /** Ends the delay before the next child. */
  #delayAbort = new AbortController();

  /**
   * @param address The path of its socket. It must not exist, and no other user may enter its folder.
   * @param fds Taken: closed when the supervisor is disposed.
   * @param isLast Whether a first child that exits with EX_USAGE or EX_CONFIG is the last. Default: it is.
   * @throws KernelError if the address cannot be bound.
   */
  constructor(
    command: Command,
    address: string,
    fds: FdStore,
    manager: Reports,
    settings: Settings,
    log: Logger,
    isLast: (status: number) => boolean = () => true,
  ) {
    this.#isLast = isLast;
    this.#command = command;
    this.#settings = settings;
    this.#fds = fds;
    this.#manager = manager;
    this.#log = log;
    this.#address = address;
    const on = {
      message: (datagram: ReceivedDatagram) => this.#receive(datagram),
      error: (err: Error) => log.error({ err }, 'receiving a notification failed'),
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
      const { code } = exit;
      const isRefused = start === 1 && (code === EX_USAGE || code === EX_CONFIG);
      if (isRefused && this.#isLast(code)) return code;
      if ((readyMs ?? 0) >= stableMs) delay = firstDelayMs;
      const wait = this.#restart ? 0 : delay;
      if (!this.#restart) delay = Math.min(delay * 2, maxDelayMs);
      this.#restart = false;
      const { signal, failure } = exit;
      this.#log.warn(
        { code, signal, err: failure, fds: this.#fds.size, inMs: wait },
        'the daemon ended and will be restarted',
      );
      this.#manager.status('The daemon ended and will be restarted.');
      this.#delayAbort = new AbortController();
      // An abort is not a failure: stop() and restart() end the delay with it.
      await sleep(wait, undefined, { signal: this.#delayAbort.signal }).catch(() => undefined);
      if (this.#stopped) return 0;
    }
  }

  /** Stops the child without a restart: run() resolves when the child has ended. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#delayAbort.abort();
    this.#manager.stopping();
    this.#child?.stop();
  }

  /** Restarts the child without delay, with the program that is at the path by then. */
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
      this.#log.error({ child: child.pid }, 'the watchdog aborts the daemon');
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
      this.#log.warn({ sender }, 'a notification from another process was ignored');
      closeAll(fds);
      return;
    }
    if (truncated.data || truncated.fds) {
      this.#log.error(truncated, 'a truncated notification was ignored');
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
        this.#log.error({ dropped, max: this.#fds.max }, 'the fd store is full: fds were closed');
    } else {
      // Including the fd of a BARRIER=1: the sender waits until it is closed.
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
