/**
 * The keeper: the part of a service manager for which a daemon needs one, where there is none. It starts the daemon,
 * starts it again when it ends, and holds what the daemon's memory is known by (fds) in between.
 *
 * The daemon speaks to it as it would to systemd, with the datagrams of sd_notify, on a socket that only this user can
 * reach. Only the child itself is heard: the kernel says who sent each. What it sent before it ended is heard before the
 * next is started. Nothing is answered but by closing what a BARRIER brought.
 *
 * A child that ends is started again after 100 ms, which doubles up to 10 s until one has been ready for a minute; it is
 * never given up. But one that cannot even begin the first time, for what its command line or configuration says, ends
 * the keeper too.
 */
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeAll, DatagramReceiver, type ReceivedDatagram } from '@vkmemd/proto/kernel';
import type { Logger } from 'pino';
import { Child, type Command, type Ended } from './child.js';
import type { KeptFds } from './kept-fds.js';
import type { Manager } from './manager.js';
import { MAX_NOTICE_BYTES, parseNotice } from './notice.js';
import type { Settings } from './settings.js';

/** Exit statuses (sysexits.h) of a child that would end the same way again: its usage, its configuration. */
export const EX_USAGE = 64;
export const EX_CONFIG = 78;

export class Supervisor {
  readonly #command: Command;
  readonly #settings: Settings;
  readonly #fds: KeptFds;
  readonly #manager: Manager;
  readonly #log: Logger;
  readonly #address: string;
  readonly #receiver: DatagramReceiver;
  #stopped = false;
  #child: Child | undefined;
  #restart = false;
  /** Ends the time before the next child. */
  #waiting = new AbortController();

  /**
   * @param address Where it is spoken to: a path at which nothing is, in a folder that is nobody else's.
   * @throws KernelError where it cannot be bound.
   */
  constructor(
    command: Command,
    address: string,
    fds: KeptFds,
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
      error: (err: Error) => log.error({ err }, 'a message could not be received'),
    };
    this.#receiver = DatagramReceiver.bind(address, on, { maxBytes: MAX_NOTICE_BYTES });
  }

  /** Keeps a child running until stop(). Resolves to the exit status that the last one ended with. */
  async run(): Promise<number> {
    const { firstDelayMs, longestDelayMs, soundMs } = this.#settings;
    let delay = firstDelayMs;
    for (let start = 1; ; start += 1) {
      const ended = await this.#runOne(start);
      if (this.#stopped) return statusOf(ended);
      if (start === 1 && (ended.code === EX_USAGE || ended.code === EX_CONFIG)) return ended.code;
      if ((ended.readyMs ?? 0) >= soundMs) delay = firstDelayMs;
      const wait = this.#restart ? 0 : delay;
      if (!this.#restart) delay = Math.min(delay * 2, longestDelayMs);
      this.#restart = false;
      const { code, signal, failure } = ended;
      this.#log.warn(
        { code, signal, err: failure, fds: this.#fds.size, inMs: wait },
        'the daemon ended: it is started again',
      );
      this.#manager.status('The daemon ended and is started again.');
      this.#waiting = new AbortController();
      await sleep(wait, undefined, { signal: this.#waiting.signal }).catch(() => undefined);
      if (this.#stopped) return 0;
    }
  }

  /** Ends it all: run() resolves when the child has ended. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#waiting.abort();
    this.#manager.stopping();
    this.#child?.stop();
  }

  /** Ends the child, for another in its place, of what is on disk by then. */
  restart(): void {
    this.#restart = this.#child !== undefined;
    this.#child?.stop();
    this.#waiting.abort();
  }

  /** Passes a signal on. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  close(): void {
    this.#receiver.close();
    this.#fds.close();
  }

  async #runOne(start: number): Promise<Ended & { readyMs: number | undefined }> {
    const kept = this.#fds.list();
    const child = new Child(this.#command, this.#address, kept, this.#settings, () => {
      this.#log.error({ child: child.pid }, 'the daemon is silent: it is aborted');
    });
    this.#child = child;
    this.#log.info({ child: child.pid, start, fds: kept.length }, 'the daemon was started');
    const ended = await child.ended;
    const { readyMs } = child;
    this.#receiver.drain();
    this.#child = undefined;
    return { ...ended, readyMs };
  }

  #receive({ data, fds, sender, truncated }: ReceivedDatagram): void {
    const child = this.#child;
    if (!child || sender.pid === 0 || sender.pid !== child.pid) {
      this.#log.warn({ sender }, 'somebody else sent a message: it is ignored');
      closeAll(fds);
      return;
    }
    if (truncated.data || truncated.fds) {
      this.#log.error(truncated, 'a message did not arrive whole: it is ignored');
      closeAll(fds);
      return;
    }
    const notice = parseNotice(data);
    if (notice.get('FDSTOREREMOVE') === '1') {
      this.#fds.remove(notice.get('FDNAME') ?? '');
      closeAll(fds);
    } else if (notice.get('FDSTORE') === '1') {
      const { dropped } = this.#fds.add(notice.get('FDNAME'), fds);
      if (dropped > 0)
        this.#log.error({ dropped, max: this.#fds.max }, 'fds found no room: they are not kept');
    } else {
      // A BARRIER's too: that it is closed is the answer.
      closeAll(fds);
    }
    const before = child.readyMs;
    child.heard(notice);
    if (before === undefined && child.readyMs !== undefined)
      this.#log.info({ child: child.pid }, 'the daemon is ready');
    this.#manager.passOn(notice);
  }
}

/** As a shell says it. */
function statusOf({ code, signal }: Ended): number {
  if (code !== null) return code;
  return signal === null ? 1 : 128 + constants.signals[signal];
}
