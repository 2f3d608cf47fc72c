/** The rights that rules grant: which rules match a peer, and how several rules combine. */
import t from 'tap';
import { DEFAULT_LIMITS } from 'vkmemd/dist/policy/limits.js';
import { Policy } from 'vkmemd/dist/policy/policy.js';
import { NO_RIGHTS } from 'vkmemd/dist/policy/rights.js';
import { peer, policyOf } from './support.js';

const DAEMON = { uid: 900, gid: 901 };

t.test('the built-in rules apply without a file', async (t) => {
  const policy = new Policy({ rules: [] }, DAEMON);
  for (const uid of [0, 900]) {
    t.match(policy.rightsOf(peer(uid)), { connect: true, operator: true, seeOthers: true, import: false });
  }
  for (const member of [peer(5, { gid: 901 }), peer(5, { groups: [7, 901] })]) {
    const rights = policy.rightsOf(member);
    t.match(rights, { connect: true, operator: false, seeOthers: false, import: false });
    t.strictSame([...rights.lifetimes], ['SESSION', 'NAMED']);
    t.strictSame(rights.maxBytes, { every: 'share' }, 'an equal share of each heap');
    t.strictSame(rights.reservedBytes, { every: { bytes: 0n } });
  }
  t.strictSame(
    policy.rightsOf(peer(5, { groups: [7] })),
    NO_RIGHTS,
    'a user that no rule names has no rights',
  );
  t.equal(new Policy({ rules: [] }, { uid: 0, gid: 901 }).rightsOf(peer(900)).operator, false);
  t.strictSame(policy.limits, DEFAULT_LIMITS);
});

t.test("root and the daemon's user of other namespaces are no operators", async (t) => {
  const policy = new Policy({ rules: [] }, DAEMON);
  for (const uid of [0, 900]) {
    t.strictSame(policy.rightsOf(peer(uid, { foreign: true })), NO_RIGHTS, `uid ${uid}`);
    const member = policy.rightsOf(peer(uid, { foreign: true, groups: [901] }));
    t.match(
      member,
      { connect: true, operator: false, seeOthers: false },
      'a member of the group is a tenant',
    );
  }
  const { policy: named } = await policyOf(t, '[[rule]]\nuid = 0\noperator = true\n');
  t.equal(named.rightsOf(peer(0, { foreign: true })).operator, true, 'a rule can name it');
});

t.test('operator = false takes every right of an operator', async (t) => {
  const { policy } = await policyOf(
    t,
    `[[rule]]
uid = [0, 7]
import = true
kinds = ["MAPPABLE"]
[[rule]]
uid = 7
operator = true
max_tickets = 3
[[rule]]
uid = [0, 7]
operator = false
`,
  );
  const tenant = {
    connect: true,
    operator: false,
    seeOthers: false,
    maxAllocations: 4096,
    maxSessions: 1024,
  };
  const [root, other] = [policy.rightsOf(peer(0)), policy.rightsOf(peer(7))];
  t.match(root, { ...tenant, maxBytes: { every: 'share' }, maxTickets: 1024 }, 'of root');
  t.match(other, { ...tenant, maxBytes: { every: 'share' }, maxTickets: 3 }, 'what a rule has set stays');
  t.strictSame([root.import, [...root.kinds]], [true, ['MAPPABLE']], 'root was admitted before that rule');
  t.strictSame(
    [other.import, other.kinds.size],
    [true, 4],
    'the other one by a later rule, with its defaults',
  );
});

t.test('the user that stands for all that are not mapped needs a rule that names it', async (t) => {
  const daemon = { ...DAEMON, overflowUid: 65_534 };
  const rules = [{ where: '', match: { groups: new Set([5]) }, gives: { connect: true } }];
  const policy = new Policy({ rules }, daemon);
  t.equal(policy.rightsOf(peer(7, { groups: [5] })).connect, true);
  t.strictSame(policy.rightsOf(peer(65_534, { groups: [5] })), NO_RIGHTS);
  const named = [...rules, { where: '', match: { uids: new Set([65_534]) }, gives: { maxTickets: 1 } }];
  t.match(new Policy({ rules: named }, daemon).rightsOf(peer(65_534, { groups: [5] })), { connect: true });
});

t.test('a rule matches by uid, gid, group and unit', async (t) => {
  const { policy } = await policyOf(
    t,
    `[[rule]]
uid = [5, 6]
group = [70, 71]
connect = true
[[rule]]
gid = 80
max_tickets = 1
[[rule]]
unit = ["worker@*.service", "a?b.scope"]
max_tickets = 2
`,
  );
  const connects = (...identity: Parameters<typeof peer>) => policy.rightsOf(peer(...identity)).connect;
  t.equal(connects(5, { gid: 70 }), true, 'its primary group is one of its groups');
  t.equal(connects(6, { gid: 1, groups: [3, 71] }), true, 'so are supplementary groups');
  t.equal(connects(5, { gid: 1, groups: [72] }), false, 'every condition must hold');
  t.equal(connects(7, { gid: 70 }), false);
  const tickets = (...identity: Parameters<typeof peer>) => policy.rightsOf(peer(...identity)).maxTickets;
  t.equal(tickets(5, { gid: 80 }), 1);
  t.equal(tickets(5, { groups: [80] }), 0, 'gid matches the primary group only');
  const byUnit = (unit: string | undefined) => tickets(5, { unit });
  t.equal(byUnit('worker@7.service'), 2);
  t.equal(byUnit('a.b.scope'), 2);
  for (const other of ['worker@7.service.d', 'xworker@7.service', 'ab.scope', 'a.b-scope', '', undefined]) {
    t.equal(byUnit(other), 0, `the unit ${other}`);
  }
  t.equal(policy.asksForUnits, true);
  t.equal((await policyOf(t, '[[rule]]\nuid = 5\nconnect = true\n')).policy.asksForUnits, false);
});

t.test('rules combine in order', async (t) => {
  const { policy } = await policyOf(
    t,
    `[[rule]]
connect = true
kinds = "MAPPABLE"
[[rule]]
uid = 5
kinds = ["DMA_BUF", "OPAQUE_FD"]
lifetimes = "SESSION"
max_bytes = { default = "1GiB", 0 = "25%", 2 = "unlimited" }
reserved_bytes = { 0 = "10%" }
max_sessions = "unlimited"
claim_from = [8, 9]
claim_access = "rw"
[[rule]]
uid = 5
max_bytes = "2GiB"
max_tickets = 3
`,
  );
  const plain = policy.rightsOf(peer(4));
  t.strictSame([...plain.kinds], ['MAPPABLE'], "a rule's value replaces the default");
  t.match(plain, {
    connect: true,
    operator: false,
    maxBytes: { every: 'share' },
    maxAllocations: 4096,
    maxSessions: 1024,
  });
  const rights = policy.rightsOf(peer(5));
  t.strictSame([...rights.kinds], ['DMA_BUF', 'OPAQUE_FD'], 'a later rule replaces an earlier one');
  t.strictSame([...rights.lifetimes], ['SESSION']);
  t.strictSame(
    rights.maxBytes,
    { every: { bytes: 2n << 30n } },
    'completely: no heap of the earlier one is left',
  );
  t.strictSame(rights.reservedBytes, { every: { bytes: 0n }, heaps: new Map([[0, { percent: 10 }]]) });
  t.match(rights, { connect: true, maxSessions: undefined, maxTickets: 3, claimAccess: 'rw' });
  t.strictSame([...rights.claimFrom], [8, 9]);
  t.equal('maxSessions' in rights && rights.maxSessions, undefined, 'unlimited');
});

t.test('a user that is admitted again has its earlier rights', async (t) => {
  const { policy } = await policyOf(
    t,
    `[[rule]]
connect = true
kinds = "MAPPABLE"
max_tickets = 2
[[rule]]
uid = [0, 5]
connect = false
operator = false
[[rule]]
uid = [0, 5]
connect = true
`,
  );
  const rights = policy.rightsOf(peer(5));
  t.match(rights, { connect: true, operator: false, maxTickets: 2 });
  t.strictSame([...rights.kinds], ['MAPPABLE'], 'the defaults of tenants are set once');
  t.match(policy.rightsOf(peer(0)), { connect: true, maxBytes: { every: 'share' }, maxTickets: 2 });
});

t.test('sizes are bytes, percentages, shares or per heap', async (t) => {
  const every = async (size: string) => {
    const { policy } = await policyOf(t, `[[rule]]\nuid = 5\nmax_bytes = ${size}\n`);
    return policy.rules[0]?.gives.maxBytes;
  };
  for (const [size, term] of [
    ['0', { bytes: 0n }],
    ['4096', { bytes: 4096n }],
    ['"4096"', { bytes: 4096n }],
    ['"64KiB"', { bytes: 65_536n }],
    ['"64 MiB"', { bytes: 64n << 20n }],
    ['"3GiB"', { bytes: 3n << 30n }],
    ['"2TiB"', { bytes: 2n << 40n }],
    ['9223372036854775807', { bytes: (1n << 63n) - 1n }],
    ['"0%"', { percent: 0 }],
    ['"100%"', { percent: 100 }],
    ['"share"', 'share'],
    ['"unlimited"', 'unlimited'],
  ] as const) {
    t.strictSame(await every(size), { every: term }, size);
  }
  t.strictSame(await every('{ 1 = 5, 15 = "share" }'), {
    every: 'share',
    heaps: new Map<number, unknown>([
      [1, { bytes: 5n }],
      [15, 'share'],
    ]),
  });
});

t.test('rules can add and remove operators', async (t) => {
  const { policy } = await policyOf(
    t,
    '[[rule]]\nuid = 5\noperator = true\n[[rule]]\nuid = 0\noperator = false\nmax_tickets = 1\n',
  );
  t.match(policy.rightsOf(peer(5)), {
    operator: true,
    connect: true,
    seeOthers: true,
    import: false,
    maxBytes: { every: 'unlimited' },
  });
  t.match(
    policy.rightsOf(peer(0)),
    { operator: false, connect: true, maxTickets: 1 },
    'root too can be an ordinary user',
  );
});

t.test('the built-in rule for the group applies unless a rule sets connect', async (t) => {
  const member = peer(5, { groups: [901] });
  const connects = (text: string) =>
    policyOf(t, text).then(({ policy: { rules } }) => new Policy({ rules }, DAEMON).rightsOf(member).connect);
  t.equal(await connects('[[rule]]\nuid = 6\nmax_tickets = 3\n'), true, 'a rule that sets another right');
  t.equal(await connects('[[rule]]\nuid = 6\noperator = true\n'), true, 'a rule that makes an operator');
  t.equal(await connects('[[rule]]\nuid = 6\nconnect = false\n'), true, 'a rule that refuses connections');
  t.equal(await connects('[[rule]]\nuid = 6\nconnect = true\n'), false, 'a rule that permits connections');
  t.equal(await connects('[[rule]]\nconnect = false\n'), false, 'a rule that refuses all connections');
});
