/**
 * Quotas under random sequences of requests, ends, sessions and changes, against a model of the rules: no
 * user exceeds its limit or takes bytes reserved for another, requests that can be served are served, and at
 * the end everything is zero.
 */
import t from 'tap';
import { type Charge, Ledger } from 'vkmemd/dist/memory/accounting/ledger.js';
import { type Change, merged } from 'vkmemd/dist/memory/accounting/terms.js';
import { shownUid, type Tenant } from 'vkmemd/dist/policy/tenant.js';
import { fc } from '../support/properties.js';
import { atLeastZero, Model, policy, sum, UIDS } from '../support/quota-model.js';
import { Host, peer, SIZE } from '../support/quotas.js';

class Scenario {
  readonly model = new Model();
  readonly host: Host;
  readonly charges: Charge[] = [];
  readonly leases: { uid: number; lease: Disposable }[] = [];
  readonly changed = new Map<number, Change | undefined>();
  served = 0;
  refused = 0;

  constructor() {
    const { model } = this;
    class Witnessed extends Ledger {
      /** Each charge is judged at its moment, whatever runs concurrently. */
      override charge(bytes: bigint, heap: number, tenant: Tenant): Charge {
        const uid = shownUid(tenant);
        const verdict = model.verdict(uid, bytes);
        if (verdict !== 'served')
          throw new Error(`user ${uid} was granted ${bytes} bytes; the model predicts ${verdict}`);
        model.user(uid).used += bytes;
        model.user(uid).charges += 1;
        return super.charge(bytes, heap, tenant);
      }
    }
    this.host = new Host(policy, 1, new Witnessed(1));
  }

  /** Sends concurrent requests; a single request must have the result of the model. */
  async request(uid: number, ...sizes: readonly bigint[]): Promise<void> {
    const [size = 0n] = sizes;
    const verdict = this.model.verdict(uid, size);
    const ends = await Promise.allSettled(sizes.map((bytes) => this.host.admit(peer(uid), bytes)));
    for (const end of ends) {
      const came = end.status === 'fulfilled' ? 'served' : end.reason.code;
      if (sizes.length === 1 && came !== verdict) throw new Error(`${came}, not ${verdict}`);
      if (came === undefined) throw end.status === 'rejected' ? end.reason : new Error('no code');
      if (end.status === 'fulfilled') this.charges.push(end.value);
      if (end.status === 'fulfilled') this.served += 1;
      else this.refused += 1;
    }
  }

  step(pick: number, end: boolean): void {
    const charge = this.charges[pick % Math.max(this.charges.length, 1)];
    if (!charge) return;
    if (!end && charge.state === 'pending') charge.commit();
    else if (!end && charge.state === 'live') charge.drain();
    else {
      this.charges.splice(this.charges.indexOf(charge), 1);
      charge.settle();
      this.model.user(shownUid(charge.tenant)).used -= charge.bytes;
      this.model.user(shownUid(charge.tenant)).charges -= 1;
    }
  }

  session(uid: number, open: boolean): void {
    const at = this.leases.findIndex((held) => held.uid === uid);
    if (open) this.leases.push({ uid, lease: this.host.quotas.of(peer(uid)).take('sessions') });
    else if (at >= 0) this.leases.splice(at, 1)[0]?.lease[Symbol.dispose]();
    this.model.user(uid).sessions = this.leases.filter((held) => held.uid === uid).length;
  }

  /** Changes a quota as SetQuota does. */
  change(uid: number, what: 'limits' | 'reserved' | 'reset', bytes: bigint): void {
    const one: Change = { limits: new Map(), reserved: new Map(), [what]: new Map([[0, bytes]]) };
    const next = what === 'reset' ? undefined : merged(this.changed.get(uid), one);
    const quota = this.host.quotas.of(peer(uid));
    const { revision } = quota;
    if (this.host.quotas.conflict(quota, next)) return;
    quota.set(next);
    if (quota.revision <= revision) throw new Error('the revision did not change');
    this.changed.set(uid, next);
    if (what === 'reset') this.model.reset(uid);
    else if (what === 'limits') this.model.user(uid).limit = bytes;
    else this.model.user(uid).reserved = bytes;
  }

  async finish(): Promise<void> {
    while (this.charges.length > 0) this.step(0, true);
    for (const uid of UIDS) {
      while (this.leases.some((held) => held.uid === uid)) this.session(uid, false);
      this.host.quotas.of(peer(uid)).set(undefined);
      this.model.reset(uid);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  check(): void {
    const { quotas } = this.host;
    const reserved = sum([...this.model.users.values()].map((user) => user.reserved));
    if (reserved > SIZE) throw new Error(`${reserved} bytes are reserved`);
    for (const uid of UIDS) {
      const heap = quotas.of(peer(uid)).describe().heaps[0];
      const user = this.model.user(uid);
      const limit = user.limit === 'unlimited' ? undefined : this.model.limitOf(uid);
      const wanted = [user.used, limit, atLeastZero(user.used - (limit ?? user.used))];
      const seen = [heap?.usedBytes, heap?.limitBytes, heap?.overageBytes];
      if (String(seen) !== String(wanted)) throw new Error(`user ${uid}: ${seen}, not ${wanted}`);
    }
  }
}

const uid = fc.constantFrom(...UIDS);
const bytes = fc.bigInt({ min: 1n, max: 500n });
const pick = fc.nat(50);
const command = fc.oneof(
  fc.tuple(uid, bytes).map((args) => (scenario: Scenario) => scenario.request(...args)),
  fc.tuple(uid, bytes, bytes, bytes).map((args) => (scenario: Scenario) => scenario.request(...args)),
  fc.tuple(pick, fc.boolean()).map((args) => (scenario: Scenario) => scenario.step(...args)),
  fc.tuple(uid, fc.boolean()).map((args) => (scenario: Scenario) => scenario.session(...args)),
  fc
    .tuple(uid, fc.constantFrom('limits', 'reserved', 'reset'), fc.bigInt({ min: 0n, max: SIZE }))
    .map((args) => (scenario: Scenario) => scenario.change(...args)),
);

t.test('no sequence violates a limit or a reservation', async (t) => {
  let served = 0;
  let refused = 0;
  const property = fc.asyncProperty(
    fc.array(command, { minLength: 20, maxLength: 120, size: 'max' }),
    async (commands) => {
      const scenario = new Scenario();
      for (const run of commands) {
        await run(scenario);
        scenario.check();
      }
      await scenario.finish();
      scenario.check();
      await new Promise((resolve) => setImmediate(resolve));
      const { ledger, quotas, faults, budget } = scenario.host;
      if (!ledger.empty) throw new Error('the ledger is not empty');
      const left = quotas.tenants.toArray().filter((tenant) => !quotas.ofTenant(tenant).idle);
      if (left.length > 0 || faults.length > 0) throw new Error(`${left.length} quotas, ${faults}`);
      const [heap] = await budget.heaps();
      if (heap?.available !== 800n || heap.guaranteed !== 200n) throw new Error('bytes are still reserved');
      served += scenario.served;
      refused += scenario.refused;
    },
  );
  await fc.assert(property, { numRuns: 250 });
  t.ok(served > 500 && refused > 500, `${served} served, ${refused} refused`);
});
