/**
 * The model that random sequences on quotas are checked against: the usage and limits of each user, and the
 * result of a request. One heap; three tenants, one with a reservation and one with a limit of its own; and
 * an operator.
 */
import { LET_IN, OPERATOR_UID, policyOf, rule, SIZE } from './quotas.js';

export const UIDS = [101, 102, 103, OPERATOR_UID] as const;
const MAX_OF_103 = 3;
export const policy = policyOf([
  LET_IN,
  rule({ maxBytes: { every: { bytes: 700n } }, maxAllocations: MAX_OF_103 }, 103),
  rule({ reservedBytes: { every: { bytes: 200n } } }, 102),
]);

/** One user as the model sees it. */
class User {
  used = 0n;
  charges = 0;
  sessions = 0;
  limit: bigint | 'share' | 'unlimited' = 'share';
  reserved = 0n;
}

export const sum = (numbers: readonly bigint[]) => numbers.reduce((all, one) => all + one, 0n);
export const atLeastZero = (bytes: bigint) => (bytes < 0n ? 0n : bytes);

export class Model {
  readonly users = new Map(UIDS.map((uid) => [uid as number, new User()]));

  constructor() {
    this.reset(102);
    this.reset(103);
    this.reset(OPERATOR_UID);
  }

  user(uid: number): User {
    const user = this.users.get(uid);
    if (!user) throw new Error(`no user ${uid}`);
    return user;
  }

  /** Returns the user to the terms of the policy. */
  reset(uid: number): void {
    const given = { 101: 'share', 102: 'share', 103: 700n, [OPERATOR_UID]: 'unlimited' } as const;
    this.user(uid).limit = given[uid as 101] ?? 'share';
    this.user(uid).reserved = uid === 102 ? 200n : 0n;
  }

  get left(): bigint {
    return SIZE - sum([...this.users.values()].map(({ used }) => used));
  }

  unused(uid: number): bigint {
    return atLeastZero(this.user(uid).reserved - this.user(uid).used);
  }

  unusedOfOthers(uid: number): bigint {
    return sum(UIDS.filter((other) => other !== uid).map((other) => this.unused(other)));
  }

  limitOf(uid: number): bigint {
    const { limit, reserved } = this.user(uid);
    if (limit !== 'share') return limit === 'unlimited' ? SIZE * 2n : limit;
    const there = (one: number) => one === uid || this.user(one).charges + this.user(one).sessions > 0;
    const n = UIDS.filter((one) => one === uid || (one !== OPERATOR_UID && there(one))).length;
    const share = SIZE / BigInt(n + 1);
    return share < reserved ? reserved : share;
  }

  /** The result of a request. */
  verdict(uid: number, bytes: bigint): string {
    const user = this.user(uid);
    if (bytes > SIZE) return 'SIZE_ABOVE_MAXIMUM';
    if (uid === 103 && user.charges >= MAX_OF_103) return 'QUOTA_EXCEEDED';
    if (user.used + bytes > this.limitOf(uid)) return 'QUOTA_EXCEEDED';
    const own = bytes <= this.unused(uid) && bytes <= this.left;
    return own || bytes <= this.left - this.unusedOfOthers(uid) ? 'served' : 'BUDGET_EXCEEDED';
  }
}
