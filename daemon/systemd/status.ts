/**
 * The status line that the service manager displays (STATUS=): the numbers of allocations, bytes and
 * sessions.
 *
 * Events of sessions and allocations (memory/session/events.ts, memory/allocation/events.ts) cause an update,
 * and so do the loss and the return of the front, reloads of the policy, and writes to the ledger that begin or cease
 * to fail. It is sent at most once a second, and only if it differs from the previous line. vkmemctl prints the details.
 */
import { DisposableStack, humanBytes, type VkmemError } from '@vkmemd/proto';
import type { AllocationEvents } from '../memory/allocation/events.js';
import { onEvent } from '../memory/event-channel.js';
import type { PersistenceHealth } from '../memory/persistence.js';
import type { SessionEvents } from '../memory/session/events.js';

const MIN_MS = 1000;
const POLICY_FAULTY = 'the policy is faulty, the last good one is in force';

export interface Figures {
  readonly allocations: number;
  /** Bytes of live allocations. */
  readonly bytes: bigint;
  /** Bytes of allocations that were freed and are still held. */
  readonly drainingBytes: bigint;
  readonly sessions: number;
  readonly device: string;
  /** Whether gRPC and HTTP are to be served, and no front serves them now. */
  readonly frontAway: boolean;
  /** Whether the policy files have a fault, and an earlier policy is in force. */
  readonly policyFaulty: boolean;
  /** Why the ledger cannot be written, such as 'ENOSPC in /run/vkmemd/state'; undefined if it can. */
  readonly ledgerFault: string | undefined;
}

/** The parts of the daemon that the figures are read from. */
export interface StatusSources {
  readonly allocationEvents: AllocationEvents;
  readonly sessionEvents: SessionEvents;
  readonly registry: { readonly live: number };
  readonly sessions: { readonly size: number };
  readonly ledger: { heap(index: number): { readonly live: bigint; readonly draining: bigint } };
  readonly device: { readonly info: { readonly name: string; readonly heaps: readonly unknown[] } };
  readonly reload: {
    readonly failure: object | undefined;
    /** Calls the listener after each reload of the policy. */
    onChange(listener: () => void): void;
  };
  readonly front: {
    readonly away: boolean;
    /** Calls the listener when the front is lost, and when it is present again. */
    onChange(listener: () => void): void;
  };
  readonly persistence: { readonly health: Pick<PersistenceHealth, 'failure' | 'onChange'> };
}

/** Such as '3 allocations, 1.5 GiB, 2 sessions; device llvmpipe; the front is away'. */
export function statusText(figures: Figures): string {
  const { allocations, bytes, drainingBytes, sessions, device, frontAway, policyFaulty, ledgerFault } =
    figures;
  const draining = drainingBytes > 0n ? [`${humanBytes(drainingBytes)} draining`] : [];
  const parts = [
    counted(allocations, 'allocation'),
    humanBytes(bytes),
    ...draining,
    counted(sessions, 'session'),
  ];
  const problems = [
    ...(frontAway ? ['the front is away'] : []),
    ...(policyFaulty ? [POLICY_FAULTY] : []),
    ...(ledgerFault === undefined ? [] : [`the ledger cannot be written: ${ledgerFault}`]),
  ];
  return [parts.join(', '), `device ${device}`, ...problems].join('; ');
}

function figuresOf({
  registry,
  sessions,
  ledger,
  device,
  front,
  reload,
  persistence,
}: StatusSources): Figures {
  const balances = device.info.heaps.map((_, index) => ledger.heap(index));
  const sum = (column: 'live' | 'draining') =>
    balances.reduce((total, balance) => total + balance[column], 0n);
  return {
    allocations: registry.live,
    bytes: sum('live'),
    drainingBytes: sum('draining'),
    sessions: sessions.size,
    device: device.info.name,
    frontAway: front.away,
    policyFaulty: reload.failure !== undefined,
    ledgerFault: faultOf(persistence.health.failure?.error),
  };
}

function faultOf(error: VkmemError | undefined): string | undefined {
  return error && `${error.metadata.errno} in ${error.metadata.folder}`;
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

export class StatusLine implements Disposable {
  readonly #sources: StatusSources;
  readonly #send: (line: string) => void;
  readonly #subscriptions = new DisposableStack();
  #timer: NodeJS.Timeout | undefined;
  #disposed = false;
  #sent: string;
  #sentAt: number;

  /**
   * @param send Called with each changed line. The first line is not sent; the caller reads it from `text`.
   */
  constructor(sources: StatusSources, send: (line: string) => void) {
    this.#sources = sources;
    this.#send = send;
    this.#sent = this.text;
    this.#sentAt = performance.now();
    this.#subscriptions.use(onEvent(sources.allocationEvents, () => this.#schedule()));
    this.#subscriptions.use(onEvent(sources.sessionEvents, () => this.#schedule()));
    this.#subscriptions.defer(() => {
      clearTimeout(this.#timer);
      this.#disposed = true;
    });
    sources.front.onChange(() => this.#schedule());
    sources.reload.onChange(() => this.#schedule());
    sources.persistence.health.onChange(() => this.#schedule());
  }

  /** The current line. */
  get text(): string {
    return statusText(figuresOf(this.#sources));
  }

  /** Ends the subscriptions; no further line is sent. */
  [Symbol.dispose](): void {
    this.#subscriptions.dispose();
  }

  /**
   * An event is emitted before its change is complete: the figures are read in a later turn of the event
   * loop.
   */
  #schedule(): void {
    if (this.#timer || this.#disposed) return;
    const wait = Math.max(0, Math.ceil(this.#sentAt + MIN_MS - performance.now()));
    this.#timer = setTimeout(() => this.#sendIfChanged(), wait);
    this.#timer.unref();
  }

  #sendIfChanged(): void {
    this.#timer = undefined;
    const line = this.text;
    if (line === this.#sent) return;
    this.#sent = line;
    this.#sentAt = performance.now();
    this.#send(line);
  }
}
