/**
 * The manager above the keeper, where there is one: systemd, or whatever else set $NOTIFY_SOCKET.
 *
 * The keeper is the service there, and its child is nobody to it. So what the child says of the service is said by the
 * keeper: that it is ready, how it is, that it reads its policy again. That the child stops is said only when the keeper
 * does, since another follows. The watchdog is the keeper's own, to which the child's silence is no reason to stop: that
 * is for the keeper to see to, by the same measure unless --keeper-watchdog says another. Sockets that were handed to the
 * keeper are kept for the child.
 */
import { DatagramQueue, OwnedFd } from '@vkmemd/proto/kernel';
import { excerpt, type Notice } from './notice.js';

const PASSED_ON = ['READY', 'RELOADING', 'MONOTONIC_USEC', 'STATUS'];

export class Manager {
  /** How often it wants to be told that the keeper lives, in ms; undefined: never. */
  readonly watchdogMs: number | undefined;
  readonly #queue: DatagramQueue | undefined;
  readonly #failed: (failure: unknown) => void;
  #feeding: NodeJS.Timeout | undefined;

  /** @param failed Told where the manager takes no message: it is no reason to leave the child. */
  constructor(env: NodeJS.ProcessEnv, failed: (failure: unknown) => void) {
    this.#failed = failed;
    if (!env.NOTIFY_SOCKET) return;
    this.#queue = new DatagramQueue(env.NOTIFY_SOCKET);
    const mine = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(process.pid);
    if (mine && /^[1-9]\d{0,14}$/.test(env.WATCHDOG_USEC ?? '')) {
      this.watchdogMs = Math.max(1, Number(env.WATCHDOG_USEC) / 1000);
      this.#feeding = setInterval(() => this.#send('WATCHDOG=1'), Math.max(1, this.watchdogMs / 3));
    }
  }

  /** What the child said. */
  passOn(notice: Notice): void {
    const lines = excerpt(notice, PASSED_ON);
    if (lines) this.#send(lines);
  }

  status(text: string): void {
    this.#send(`STATUS=${text}`);
  }

  stopping(): void {
    this.#send('STOPPING=1');
  }

  close(): void {
    clearInterval(this.#feeding);
    this.#queue?.close();
  }

  #send(text: string): void {
    this.#queue?.send(text).catch((failure) => {
      if (!this.#queue?.closed) this.#failed(failure);
    });
  }
}

/**
 * The fds that this process was started with for it to serve, with their names; owned by the caller. They get other
 * numbers, and CLOEXEC: no child is to have them but by what is handed to it.
 */
export function inheritedFds(env: NodeJS.ProcessEnv): { name: string; fd: OwnedFd }[] {
  if (env.LISTEN_PID !== String(process.pid) || !/^\d{1,6}$/.test(env.LISTEN_FDS ?? '')) return [];
  const names = env.LISTEN_FDNAMES?.split(':') ?? [];
  return Array.from({ length: Number(env.LISTEN_FDS) }, (_, at) => {
    using passed = new OwnedFd(3 + at, 'handed to the keeper');
    return { name: names[at] || 'unknown', fd: passed.dup() };
  });
}
