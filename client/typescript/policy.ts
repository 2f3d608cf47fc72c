/**
 * PolicyCalls: who may have how much, and the policy that says so. A part of ControlClient.
 */
import { present } from './connection/answer.js';
import type { RetryingChannel } from './connection/retrying-channel.js';
import { checkUid, type Quota, type QuotaChange, type QuotaResult, setQuotaOn } from './request/quota.js';

/** The policy in force: the files that were read, in their order, and how many rules they and the command line have. */
export interface PolicyReport {
  readonly files: string[];
  readonly rules: number;
}

export class PolicyCalls {
  protected readonly channel: RetryingChannel;
  /** Milliseconds that a question may take. */
  protected readonly timeoutMs: number;

  constructor(channel: RetryingChannel, timeoutMs: number) {
    this.channel = channel;
    this.timeoutMs = timeoutMs;
  }

  /** What a user may have and has; without a uid, the caller. @throws VkmemError NOT_PERMITTED for another's. */
  async quota(uid?: number): Promise<Quota> {
    const request = uid === undefined ? {} : { uid: checkUid(uid) };
    return present((await this.channel.call('GetQuota', request, this.timeoutMs)).quota);
  }

  /** The same of everybody who has anything or was given something, by uid. @throws VkmemError NOT_PERMITTED. */
  async quotas(): Promise<Quota[]> {
    return (await this.channel.call('ListQuotas', {}, this.timeoutMs)).quotas;
  }

  /**
   * Changes what a user may have, until the daemon ends. Without `expectedRevision` the quota is read first, and again a
   * few times where it changed meanwhile.
   * @throws VkmemError NOT_PERMITTED unless the caller is an operator; INVALID_ARGUMENT. What is stale or in conflict is
   *   an answer.
   */
  setQuota(change: QuotaChange): Promise<QuotaResult> {
    return setQuotaOn(this.channel, change, this.timeoutMs);
  }

  /**
   * Has the daemon read its policy again, as SIGHUP does; for operators.
   * @throws VkmemError NOT_PERMITTED; POLICY_INVALID, with the faults as its reason and the old policy in force.
   */
  async reloadPolicy(): Promise<PolicyReport> {
    return this.channel.call('ReloadPolicy', {});
  }
}
