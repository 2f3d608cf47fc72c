/**
 * The status of the daemon: whether it can serve, and if not, why not; and whether the front is present.
 *
 * It is ready while it serves on its sockets, has its device and all memory on it, and is not stopping. A
 * problem that an operator should look at but that does not prevent service is a warning, for example a
 * policy that could not be read again, a ledger that cannot be written, or a record of it that could not be
 * restored. Reporting never waits, and calls no driver.
 */
import { type ErrorCode, VkmemError } from '@vkmemd/proto';

/** The records that are reported one by one. */
const MAX_NAMED = 16;

export type Stage = 'STARTING' | 'SERVING' | 'STOPPING';

/** A reason why the daemon is not ready, or a warning. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  /** What to do about it. */
  readonly next: string;
  /** When it was detected, in milliseconds since 1970; undefined for a reason. */
  readonly since: number | undefined;
}

/** The part of the daemon that serves gRPC and HTTP. */
export interface FrontState {
  readonly present: boolean;
  /** Since when it is present or absent, in milliseconds since 1970. */
  readonly since: number;
  /** How often it was started again. */
  readonly restarts: number;
}

export interface StatusReport {
  readonly ready: boolean;
  /** Why it is not ready; empty if it is. */
  readonly reasons: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly front: FrontState;
}

/** A record of the ledger that could not be restored. */
interface SetAside {
  readonly what: string;
  readonly id: string;
  readonly reason: string;
}

interface Collaborators {
  readonly reload: { readonly failure: { readonly error: VkmemError; readonly at: number } | undefined };
  readonly recovery: { readonly serving: boolean };
  readonly device: { readonly opening: Promise<void> | undefined };
  readonly front: FrontState;
  /** Whether others can replace the sockets, since the start. */
  readonly exposure: VkmemError | undefined;
  readonly persistence: {
    readonly health: {
      readonly failure: { readonly error: VkmemError; readonly at: number } | undefined;
      readonly setAside: readonly SetAside[];
    };
  };
}

export class Status {
  /** Set by the composition root. */
  stage: Stage = 'STARTING';
  /** When the daemon was started, in milliseconds since 1970. */
  readonly startedAt: number = Date.now();
  readonly #with: Collaborators;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  report(): StatusReport {
    const reasons: VkmemError[] = [];
    if (this.stage !== 'SERVING') {
      const what = this.stage === 'STARTING' ? 'starting' : 'stopping';
      reasons.push(new VkmemError('UNAVAILABLE', `The daemon is ${what}.`));
    }
    const { recovery, device, reload, front, exposure, persistence } = this.#with;
    if (!recovery.serving) reasons.push(new VkmemError('DEVICE_LOST', 'The device is being opened again.'));
    if (device.opening) reasons.push(new VkmemError('UNAVAILABLE', 'The device is being opened.'));
    const { setAside } = persistence.health;
    const failures = [reload.failure, persistence.health.failure].filter((one) => one !== undefined);
    const { present, since, restarts } = front;
    return {
      ready: reasons.length === 0,
      reasons: reasons.map((reason) => problemOf(reason)),
      warnings: [
        ...failures.map(({ error, at }) => problemOf(error, at)),
        ...asideErrors(setAside).map((error) => problemOf(error, this.startedAt)),
        ...(exposure ? [problemOf(exposure, this.startedAt)] : []),
      ],
      front: { present, since, restarts },
    };
  }
}

/** One for each record, up to MAX_NAMED, and one for the others. */
export function asideErrors(records: readonly SetAside[]): VkmemError[] {
  const errors = records.slice(0, MAX_NAMED).map(({ what, id, reason }) => {
    const text = `The ${what} ${id} was set aside: ${reason}.`;
    return new VkmemError('RECORD_SET_ASIDE', text, { what, id });
  });
  const others = records.length - errors.length;
  if (others > 0) errors.push(new VkmemError('RECORD_SET_ASIDE', `${others} more records were set aside.`));
  return errors;
}

const problemOf = ({ code, message, next }: VkmemError, since?: number): Problem => ({
  code,
  message,
  next,
  since,
});
