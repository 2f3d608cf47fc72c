/**
 * Readiness: whether the daemon can serve, and if not, why not.
 *
 * It is ready while it serves on its sockets, has its device and all memory on it, and is not stopping. A
 * problem that an operator should look at but that does not prevent service is a warning, for example a
 * policy that could not be read again.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Recovery } from '../memory/allocation/recovery.js';
import type { Reload } from '../memory/reload.js';
import { type Refusal, refusalOf } from './answers.js';

export type Stage = 'STARTING' | 'SERVING' | 'STOPPING';

export interface ReadinessReport {
  readonly ready: boolean;
  /** Why it is not ready; empty if it is. */
  readonly reasons: readonly Refusal[];
  readonly warnings: readonly Refusal[];
}

interface Collaborators {
  readonly reload: Pick<Reload, 'failure'>;
  readonly recovery: Pick<Recovery, 'serving'>;
}

export class Readiness {
  /** Set by what starts and stops the daemon. */
  stage: Stage = 'STARTING';
  readonly #reload: Pick<Reload, 'failure'>;
  readonly #recovery: Pick<Recovery, 'serving'>;

  constructor({ reload, recovery }: Collaborators) {
    this.#reload = reload;
    this.#recovery = recovery;
  }

  report(): ReadinessReport {
    const reasons: VkmemError[] = [];
    if (this.stage !== 'SERVING') {
      const what = this.stage === 'STARTING' ? 'starting' : 'stopping';
      reasons.push(new VkmemError('UNAVAILABLE', `The daemon is ${what}.`));
    }
    if (!this.#recovery.serving) {
      reasons.push(new VkmemError('DEVICE_LOST', 'The device is being opened again.'));
    }
    const { failure } = this.#reload;
    const warnings = failure ? [failure] : [];
    return {
      ready: reasons.length === 0,
      reasons: reasons.map(refusalOf),
      warnings: warnings.map(refusalOf),
    };
  }
}
