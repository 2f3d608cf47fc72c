/**
 * Names belong to users: each user has a namespace of its own, and cannot use or discover another's. A user
 * whom the policy lets claim may claim and do nothing else.
 */
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { openToAll, Tenant } from '../support/tenant.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

const kinds = ['KIND_MAPPABLE'] as const;
const SMALL = { sizeBytes: 4096n, kinds };
const [OWNER, READER, WRITER, UNLISTED] = [OTHER_UID, 65_532, 65_531, 65_530];

/** Every user may connect; one may read OWNER's memory, one may also write to it. */
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

t.test('two users use the same name without seeing each other', { skip: noOtherUser ?? false }, async (t) => {
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
    'each has an allocation of its own',
  );
  t.equal(new Set(made.map((allocation) => allocation?.id)).size, 3);
  for (const [at, who] of [owner, other, root].entries()) {
    const answer = await who.ask({ claim: { allocation: { name: 'frames' }, kinds } });
    t.equal(answer.message.claim?.allocation?.id, made[at]?.id, 'and a claim by name returns it');
    if ('fds' in answer) for (const fd of answer.fds) fd.close();
  }
  await t.rejects(
    other.ask({ allocate: { ...SMALL, name: 'frames' } }),
    { code: 'NAME_TAKEN' },
    "the user's own name is taken",
  );
  await t.rejects(
    other.ask({ allocate: { ...SMALL, name: `${OWNER}/taken` } }),
    { code: 'INVALID_NAME' },
    "a name in another user's namespace",
  );

  const refusals = [];
  for (const name of ['frames', 'nothing']) {
    for (const claim of ['ACCESS_READ_ONLY', 'ACCESS_READ_WRITE'] as const) {
      const request = { allocation: { name: `${OWNER}/${name}` }, kinds, access: claim };
      refusals.push(await refused(other.ask({ claim: request })));
    }
    refusals.push(await refused(other.call('GetAllocation', { allocation: { name: `${OWNER}/${name}` } })));
    refusals.push(await refused(other.call('FreeAllocation', { allocation: { name: `${OWNER}/${name}` } })));
    refusals.push(await refused(other.ask({ createTicket: { allocation: { name: `${OWNER}/${name}` } } })));
  }
  for (const ref of ['id', 'name'] as const) {
    for (const scope of ref === 'id'
      ? [OWNER, UNLISTED, `uid:${UNLISTED}`]
      : [`0${OWNER}`, ` ${OWNER}`, '', 'a', '-1', '1e1', 'uid:', `uid:0${OWNER}`, `user:${OWNER}`]) {
      const refusal = await refused(
        other.call('GetAllocation', { allocation: { [ref]: `${scope}/frames` } }),
      );
      t.match(refusal, /^NOT_FOUND/, `an invalid ${ref} is NOT_FOUND: ${scope}`);
    }
  }
  t.equal(
    new Set(refusals).size,
    1,
    `an existing name of another user is refused like a missing one: ${refusals[0]}`,
  );
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
    'a watch does not show it either',
  );
  for (const tenant of tenants) await tenant.end();
  root.close();
});

t.test(
  'a user whom the policy lets claim may claim, and nothing else',
  { skip: noOtherUser ?? false },
  async (t) => {
    const { runtimeDir, tenants } = await start(t, READER, WRITER, OWNER);
    const [reader, writer] = tenants;
    const owner = (tenants as Tenant[])[2] as Tenant;
    const control = new ControlWire(runtimeDir);
    const { message } = await owner.ask({ allocate: { ...SMALL, name: 'frames' } });
    const id = message.allocate?.allocation?.id ?? '';
    await control.call('Transfer', { fill: { allocation: { id }, pattern: 0x61626364, sizeBytes: 4n } });
    const name = `${OWNER}/frames`;
    const owned = { ownerUid: OWNER, owner: { key: `uid:${OWNER}`, uid: OWNER, name: String(OWNER) } };
    t.match(message.allocate?.allocation, owned, 'the owner is reported');

    for (const ref of [{ name }, { name: `uid:${name}` }, { id }]) {
      const claim = { allocation: ref, kinds, access: 'ACCESS_READ_ONLY' } as const;
      const { seen, message: reported } = await reader.ask({ claim });
      t.match(seen, [{ text: 'dcba', write: 'NOT_MAPPABLE', reopen: 'EACCES' }], 'it can read only');
      t.equal(reported.claim?.grants[0]?.readOnly, 'READ_ONLY_STRENGTH_ENFORCED');
      const rw = { ...claim, access: 'ACCESS_READ_WRITE' } as const;
      await t.rejects(
        reader.ask({ claim: rw }),
        { code: 'NOT_PERMITTED', metadata: { access: 'ro' }, message: /Claim it read-only \(access: 'ro'\)/ },
        'it may not claim for writing, and the error names what it may do',
      );
      const { seen: written } = await writer.ask({ claim: rw });
      t.match(written, [{ text: 'dcba', write: 'served' }], 'it can write where the policy allows it');
    }
    for (const bare of ['frames', 'nothing']) {
      const message = new RegExp(
        `The caller has no allocation ${bare}\\. Check the name; write UID/NAME for `,
      );
      const claim = { allocation: { name: bare }, kinds };
      await t.rejects(reader.ask({ claim }), { code: 'NOT_FOUND', message }, 'whether it exists or not');
    }
    await t.rejects(reader.ask({ allocate: { ...SMALL, name } }), {
      code: 'INVALID_NAME',
      message: /claim the memory of another user as UID\/NAME/,
    });

    const { message: hidden } = await owner.ask({ allocate: SMALL });
    const session = { id: hidden.allocate?.allocation?.id ?? '' };
    for (const who of [reader, writer]) {
      for (const allocation of [{ name }, { id }, session]) {
        const denied = { code: 'NOT_PERMITTED' };
        await t.rejects(who.ask({ free: { allocation } }), denied, 'it may not free');
        await t.rejects(who.call('FreeAllocation', { allocation }), denied);
        await t.rejects(who.call('Transfer', { fill: { allocation, pattern: 1 } }), denied, 'or fill');
        await t.rejects(who.call('Transfer', { sync: { allocation } }), denied);
        await t.rejects(who.ask({ createTicket: { allocation } }), denied, 'or create a ticket');
      }
      const claim = { allocation: session, kinds, access: 'ACCESS_READ_ONLY' } as const;
      await t.rejects(
        who.ask({ claim }),
        { code: 'NOT_PERMITTED' },
        'memory without a name cannot be claimed by another user',
      );
      const events = (await who.watched()).map(({ event, allocation }) => `${event} ${allocation?.name}`);
      t.ok(events.includes('ALLOCATION_EVENT_CREATED frames'), 'it sees the allocation that it may claim');
      t.notOk(events.includes('ALLOCATION_EVENT_CREATED '), 'and no other');
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
  },
);

/** The error that an attempt is refused with, as one text. */
async function refused(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'served';
  } catch (failure) {
    const { code, message, metadata } = failure as { code: string; message: string; metadata?: object };
    return `${code} ${message} ${JSON.stringify(metadata)}`;
  }
}
