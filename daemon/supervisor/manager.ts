/**
 * The service manager that started the supervisor, if any: systemd, or another process that set
 * $NOTIFY_SOCKET.
 *
 * For that manager the supervisor is the service, and its child is unknown. So the supervisor forwards the
 * child's notifications READY, STATUS and RELOADING. STOPPING=1 is sent only when the supervisor itself
 * stops, because a child that stops is restarted. The manager's watchdog watches the supervisor. The
 * supervisor watches the child, with the same timeout unless --supervisor-watchdog sets another. Sockets that
 * the manager passed to the supervisor are stored for the child.
 */
import { DatagramQueue, OwnedFd } from '@vkmemd/proto/kernel';
import type { StoredFd } from './fd-store.js';
import { type Notification, selectLines } from './notification.js';

const FORWARDED = ['READY', 'RELOADING', 'MONOTONIC_USEC', 'STATUS'];

export class Manager implements Disposable {
  /** The manager's watchdog timeout for the supervisor, in ms; undefined if there is none. */
  readonly watchdogMs: number | undefined;
  readonly #queue: DatagramQueue | undefined;
  readonly #onFailure: (failure: unknown) => void;
  #watchdogTimer: NodeJS.Timeout | undefined;

  /** @param onFailure Called if the manager does not receive a message. The supervisor continues to run. */
  constructor(env: NodeJS.ProcessEnv, onFailure: (failure: unknown) => void) {
    this.#onFailure = onFailure;
    const address = env.NOTIFY_SOCKET;
    // A manager outside of this virtual machine is not notified.
    if (!address || address.startsWith('vsock')) return;
    this.#queue = new DatagramQueue(address, 'NOTIFY_SOCKET');
    const forThisProcess = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(process.pid);
    if (forThisProcess && /^[1-9]\d{0,14}$/.test(env.WATCHDOG_USEC ?? '')) {
      this.watchdogMs = Math.max(1, Number(env.WATCHDOG_USEC) / 1000);
      this.#watchdogTimer = setInterval(() => this.#send('WATCHDOG=1'), Math.max(1, this.watchdogMs / 3));
    }
  }

  /** Forwards a notification of the child. */
  forward(notification: Notification): void {
    const lines = selectLines(notification, FORWARDED);
    if (lines) this.#send(lines);
  }

  ready(): void {
    this.#send('READY=1');
  }

  status(text: string): void {
    this.#send(`STATUS=${text}`);
  }

  stopping(): void {
    this.#send('STOPPING=1');
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watchdogTimer);
    this.#queue?.close();
  }

  #send(text: string): void {
    this.#queue?.send(text).catch((failure) => {
      if (!this.#queue?.closed) this.#onFailure(failure);
    });
  }
}

/**
 * The fds that the manager passed to this process (sd_listen_fds), with their names. The caller owns them.
 * Each is moved to another number and gets CLOEXEC, so that a child inherits only the fds that are passed to
 * it.
 */
export function inheritedFds(env: NodeJS.ProcessEnv): StoredFd[] {
  if (env.LISTEN_PID !== String(process.pid) || !/^\d{1,6}$/.test(env.LISTEN_FDS ?? '')) return [];
  const names = env.LISTEN_FDNAMES?.split(':') ?? [];
  return Array.from({ length: Number(env.LISTEN_FDS) }, (_, at) => {
    using passed = new OwnedFd(3 + at, 'inherited by the supervisor');
    return { name: names[at] || 'unknown', fd: passed.dup() };
  });
}
