/**
 * The supervisors of `vkmemd --all`, one for each device, as one service.
 *
 * Each restarts its own daemon and keeps its fds; none knows of another. To a service manager they are one service: it
 * is ready when every daemon was ready or has ended once, and at least one is ready; a daemon that is still starting a
 * minute after the first was ready is not waited for. The status line counts the daemons that are ready.
 *
 * A daemon whose first start exits with EX_USAGE or EX_CONFIG is started again, because the others may serve. If the
 * first starts of all daemons do, the fleet stops with the status of the last: the command line or the policy, which
 * are the same for all, has a fault.
 */
import type { Manager } from './manager.js';
import type { Reports, Supervisor } from './supervisor.js';

/** What the fleet needs of the service manager. */
export type FleetManager = Pick<Manager, 'ready' | 'status' | 'stopping'>;

const LATE_MS = 60_000;

interface Member {
  ready: boolean;
  /** Whether it was ready, or has ended. */
  settled: boolean;
  supervisor: Supervisor | undefined;
}

export class Fleet implements Disposable {
  readonly #manager: FleetManager;
  readonly #lateMs: number;
  readonly #members = new Map<string, Member>();
  readonly #unusable = new Map<string, number>();
  #announced = false;
  #stopping = false;
  #late: NodeJS.Timeout | undefined;

  /** @param names of the members. */
  constructor(names: readonly string[], manager: FleetManager, lateMs = LATE_MS) {
    this.#manager = manager;
    this.#lateMs = lateMs;
    for (const name of names)
      this.#members.set(name, { ready: false, settled: false, supervisor: undefined });
  }

  /** What a member's supervisor reports to, in place of the service manager. */
  reportsOf(name: string): Reports {
    return {
      forward: (notification) => {
        if (notification.get('READY') === '1') this.#change(name, { ready: true, settled: true });
      },
      status: () => this.#change(name, { ready: false, settled: true }),
      stopping: () => {},
    };
  }

  /** Whether the member's first daemon, which exits with this status, is its last: if it is the last of all. */
  isLast(name: string, status: number): boolean {
    this.#unusable.set(name, status);
    if (this.#unusable.size < this.#members.size) return false;
    this.stop();
    return true;
  }

  add(name: string, supervisor: Supervisor): void {
    const member = this.#members.get(name);
    if (member) member.supervisor = supervisor;
  }

  /**
   * Runs all members until stop(). Resolves to the exit status: 0, or the first one in the order of the members that is
   * another.
   */
  async run(): Promise<number> {
    const supervisors = [...this.#members.values()].flatMap(({ supervisor }) => supervisor ?? []);
    const statuses = await Promise.all(supervisors.map((supervisor) => supervisor.run()));
    const all = this.#unusable.size === this.#members.size ? [...this.#unusable.values()].at(-1) : undefined;
    return all ?? statuses.find((status) => status !== 0) ?? 0;
  }

  /** Calls every supervisor. */
  each(work: (supervisor: Supervisor) => void): void {
    for (const { supervisor } of this.#members.values()) if (supervisor) work(supervisor);
  }

  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    clearTimeout(this.#late);
    this.#manager.stopping();
    this.each((supervisor) => supervisor.stop());
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#late);
  }

  #change(name: string, state: Pick<Member, 'ready' | 'settled'>): void {
    const member = this.#members.get(name);
    if (!member || this.#stopping) return;
    Object.assign(member, state);
    const all = [...this.#members.values()];
    const ready = all.filter((each) => each.ready).length;
    this.#manager.status(`${ready} of ${all.length} daemons are ready.`);
    if (ready === 0 || this.#announced) return;
    if (all.every((each) => each.settled)) this.#announce();
    else this.#late ??= setTimeout(() => this.#announce(), this.#lateMs);
  }

  #announce(): void {
    clearTimeout(this.#late);
    if (this.#announced || this.#stopping) return;
    this.#announced = true;
    this.#manager.ready();
  }
}
