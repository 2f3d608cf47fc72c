/**
 * Names belong to users: everybody has its own, nobody takes another's or learns of it, and whom the policy
 * lets claim may do that and nothing else.
 */
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { openToAll, Tenant } from '../support/tenant.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

const kinds = ['KIND_MAPPABLE'] as const;
const SMALL = { sizeBytes: 4096n, kinds };
const [OWNER, READER, WRITER, UNLISTED] = [OTHER_UID, 65_533, 65_532, 65_531];

/** Everybody may connect; one may read what OWNER has, one may write to it as well. */
const POLICY = `
[[rule]]
connect = true

[[rule]]
uid = ${READER}
claim_from = [${OWNER}]

[[rule]]
uid = ${WRITER}
claim_from = [${OWNER}]
claim_access = "rw"
`;

async function start(t: Test, ...uids: number[]) {
  const { runtimeDir } = await startDaemon(t, { policy: POLICY });
  openToAll(runtimeDir);
  const tenants = [];
  for (const uid of uids) tenants.push(await Tenant.start(t, runtimeDir, uid));
  return { runtimeDir, tenants: tenants as [Tenant, Tenant] };
}

t.test(
  'two users have the same name, and neither knows of the other',
  { skip: noOtherUser ?? false },
  async (t) => {
    const { runtimeDir, tenants } = await start(t, OWNER, UNLISTED);
    const [owner, other] = tenants;
    const root = await HandoffWire.open(runtimeDir);
    const made = [];
    for (const who of [owner, other, root]) {
      const { message } = await who.ask({ allocate: { ...SMALL, name: 'frames' } });
      made.push(message.allocate?.allocation);
    }
    t.strictSame(
      made.map((allocation) => allocation?.ownerUid),
      [OWNER, UNLISTED, 0],
      'each has one of its own',
    );
    t.equal(new Set(made.map((allocation) => allocation?.id)).size, 3);
    for (const [at, who] of [owner, other, root].entries()) {
      const answer = await who.ask({ claim: { allocation: { name: 'frames' }, kinds } });
      t.equal(answer.message.claim?.allocation?.id, made[at]?.id, 'and is given that by its name');
      if ('fds' in answer) for (const fd of answer.fds) fd.close();
    }
    await t.rejects(
      other.ask({ allocate: { ...SMALL, name: 'frames' } }),
      { code: 'NAME_TAKEN' },
      'its own only',
    );
    await t.rejects(
      other.ask({ allocate: { ...SMALL, name: `${OWNER}/taken` } }),
      { code: 'INVALID_NAME' },
      "nobody makes a name in another's",
    );

    const refusals = [];
    for (const name of ['frames', 'nothing']) {
      for (const claim of ['ACCESS_READ_ONLY', 'ACCESS_READ_WRITE'] as const) {
        const request = { allocation: { name: `${OWNER}/${name}` }, kinds, access: claim };
        refusals.push(await refused(other.ask({ claim: request })));
      }
      refusals.push(await refused(other.call('GetAllocation', { allocation: { name: `${OWNER}/${name}` } })));
      refusals.push(
        await refused(other.call('FreeAllocation', { allocation: { name: `${OWNER}/${name}` } })),
      );
      refusals.push(await refused(other.ask({ createTicket: { allocation: { name: `${OWNER}/${name}` } } })));
    }
    for (const ref of ['id', 'name'] as const) {
      for (const scope of ref === 'id'
        ? [OWNER, UNLISTED, `uid:${UNLISTED}`]
        : [`0${OWNER}`, ` ${OWNER}`, '', 'a', '-1', '1e1', 'uid:', `uid:0${OWNER}`, `user:${OWNER}`]) {
        const refusal = await refused(
          other.call('GetAllocation', { allocation: { [ref]: `${scope}/frames` } }),
        );
        t.match(refusal, /^NOT_FOUND/, `what is no ${ref} names nothing, whoever has it: ${scope}`);
      }
    }
    t.equal(new Set(refusals).size, 1, `a name that is there is refused as one that is not: ${refusals[0]}`);
    t.match(refusals[0], /^NOT_PERMITTED/);
    const { allocations } = await other.call('ListAllocations', {});
    t.strictSame(
      allocations.map(({ ownerUid }) => ownerUid),
      [UNLISTED],
    );
    for (const who of [owner, other, root]) await who.ask({ free: { allocation: { name: 'frames' } } });
    t.strictSame(
      [...new Set((await other.watched()).map(({ allocation }) => allocation?.ownerUid))],
      [UNLISTED],
      'nor is anything of it in what one watches',
    );
    for (const tenant of tenants) await tenant.end();
    root.close();
  },
);

t.test('whom the policy lets claim', { skip: noOtherUser ?? false }, async (t) => {
  const { runtimeDir, tenants } = await start(t, READER, WRITER, OWNER);
  const [reader, writer] = tenants;
  const owner = (tenants as Tenant[])[2] as Tenant;
  const control = new ControlWire(runtimeDir);
  const { message } = await owner.ask({ allocate: { ...SMALL, name: 'frames' } });
  const id = message.allocate?.allocation?.id ?? '';
  await control.call('Transfer', { fill: { allocation: { id }, pattern: 0x61626364, sizeBytes: 4n } });
  const name = `${OWNER}/frames`;
  const owned = { ownerUid: OWNER, owner: { key: `uid:${OWNER}`, uid: OWNER, name: String(OWNER) } };
  t.match(message.allocate?.allocation, owned, 'whose it is');

  for (const ref of [{ name }, { name: `uid:${name}` }, { id }]) {
    const claim = { allocation: ref, kinds, access: 'ACCESS_READ_ONLY' } as const;
    const { seen, message: reported } = await reader.ask({ claim });
    t.match(seen, [{ text: 'dcba', write: 'NOT_MAPPABLE', reopen: 'EACCES' }], 'reads, and no more');
    t.equal(reported.claim?.grants[0]?.readOnly, 'READ_ONLY_STRENGTH_ENFORCED');
    const rw = { ...claim, access: 'ACCESS_READ_WRITE' } as const;
    await t.rejects(reader.ask({ claim: rw }), { code: 'NOT_PERMITTED' }, 'does not write');
    const { seen: written } = await writer.ask({ claim: rw });
    t.match(written, [{ text: 'dcba', write: 'served' }], 'writes where it may');
  }
  await t.rejects(reader.ask({ claim: { allocation: { name: 'frames' }, kinds } }), { code: 'NOT_FOUND' });

  const { message: hidden } = await owner.ask({ allocate: SMALL });
  const session = { id: hidden.allocate?.allocation?.id ?? '' };
  for (const who of [reader, writer]) {
    for (const allocation of [{ name }, { id }, session]) {
      const denied = { code: 'NOT_PERMITTED' };
      await t.rejects(who.ask({ free: { allocation } }), denied, 'frees nothing');
      await t.rejects(who.call('FreeAllocation', { allocation }), denied);
      await t.rejects(who.call('Transfer', { fill: { allocation, pattern: 1 } }), denied, 'nor fills it');
      await t.rejects(who.call('Transfer', { sync: { allocation } }), denied);
      await t.rejects(who.ask({ createTicket: { allocation } }), denied, 'nor hands it on');
    }
    const claim = { allocation: session, kinds, access: 'ACCESS_READ_ONLY' } as const;
    await t.rejects(who.ask({ claim }), { code: 'NOT_PERMITTED' }, 'what has no name is not for others');
    const events = (await who.watched()).map(({ event, allocation }) => `${event} ${allocation?.name}`);
    t.ok(events.includes('ALLOCATION_EVENT_CREATED frames'), 'what it may claim it sees');
    t.notOk(events.includes('ALLOCATION_EVENT_CREATED '), 'and nothing else');
    const { allocations } = await who.call('ListAllocations', {});
    t.strictSame(
      allocations.map((listed) => listed.name),
      ['frames'],
    );
    await t.rejects(who.call('GetAllocation', { allocation: session }), { code: 'NOT_PERMITTED' });
  }
  await owner.ask({ free: { allocation: { id } } });
  for (const tenant of [reader, writer, owner]) await tenant.end();
  control.close();
});

/** What an attempt is refused with. */
async function refused(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'served';
  } catch (failure) {
    const { code, message, metadata } = failure as { code: string; message: string; metadata?: object };
    return `${code} ${message} ${JSON.stringify(metadata)}`;
  }
}
