/**
 * The line that the service manager shows (STATUS=): how many allocations, bytes and sessions there are.
 *
 * It is told by the channels of what happens (allocation-events.ts, session-events.ts), and looks at the figures when a
 * line is due: at most once a second, and only where the line is another one than before. An operator who needs more
 * asks vkmemctl.
 */
import { onAllocationEvent } from '../memory/allocation/events.js';
import type { Domain } from '../memory/domain.js';
import { onSessionEvent } from '../memory/session/events.js';

const MIN_MS = 1000;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export interface Figures {
  readonly allocations: number;
  /** Live ones. */
  readonly bytes: bigint;
  /** Freed, and still held by somebody. */
  readonly drainingBytes: bigint;
  readonly sessions: number;
  readonly device: string;
}

/** Such as '3 allocations, 1.5 GiB, 2 sessions; device llvmpipe'. */
export function statusText(figures: Figures): string {
  const { allocations, bytes, drainingBytes, sessions, device } = figures;
  const draining = drainingBytes > 0n ? [`${inUnits(drainingBytes)} draining`] : [];
  const parts = [
    counted(allocations, 'allocation'),
    inUnits(bytes),
    ...draining,
    counted(sessions, 'session'),
  ];
  return `${parts.join(', ')}; device ${device}`;
}

function figuresOf({ registry, sessions, ledger, device }: Domain): Figures {
  const balances = device.info.heaps.map((_, index) => ledger.heap(index));
  const sum = (column: 'live' | 'draining') =>
    balances.reduce((total, balance) => total + balance[column], 0n);
  return {
    allocations: registry.live,
    bytes: sum('live'),
    drainingBytes: sum('draining'),
    sessions: sessions.size,
    device: device.info.name,
  };
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** One decimal where that loses something. */
function inUnits(bytes: bigint): string {
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

export class StatusLine {
  readonly #domain: Domain;
  readonly #send: (line: string) => void;
  readonly #ends: readonly (() => void)[];
  #timer: NodeJS.Timeout | undefined;
  #sent: string;
  #at: number;

  /** @param send is not called for the line that holds now: `text` says it. */
  constructor(domain: Domain, send: (line: string) => void) {
    this.#domain = domain;
    this.#send = send;
    this.#sent = this.text;
    this.#at = performance.now();
    const heard = () => this.#changed();
    this.#ends = [onAllocationEvent(heard), onSessionEvent(heard)];
  }

  /** As it is now. */
  get text(): string {
    return statusText(figuresOf(this.#domain));
  }

  /** Tells nothing more. */
  close(): void {
    for (const end of this.#ends) end();
    clearTimeout(this.#timer);
  }

  /** What has happened is not over in this turn: the figures are looked at in a later one. */
  #changed(): void {
    if (this.#timer) return;
    const wait = Math.max(0, Math.ceil(this.#at + MIN_MS - performance.now()));
    this.#timer = setTimeout(() => this.#tell(), wait);
    this.#timer.unref();
  }

  #tell(): void {
    this.#timer = undefined;
    const line = this.text;
    if (line === this.#sent) return;
    this.#sent = line;
    this.#at = performance.now();
    this.#send(line);
  }
}
