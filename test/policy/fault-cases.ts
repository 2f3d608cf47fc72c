/**
 * What can be wrong with a policy: a text for each, and where its faults are.
 */

/** A policy's text -> its faults, each as LINE:COLUMN and a part of the sentence. */
export const CASES: readonly (readonly [
  what: string,
  text: string,
  ...faults: (readonly [string, RegExp])[],
])[] = [
  ['no TOML', '[[rule]]\nuid 5\n', ['2:5', /invalid TOML: Expected equal/]],
  [
    'a value that is missing',
    'overcommit = \n[[rule]]\n',
    ['1:13', /invalid TOML: The key, equals sign, and value/],
  ],
  ['a string without end', '[[rule]]\nunit = "a\n', ['2:10', /invalid TOML: Unterminated string/]],
  ['a bracket that is missing', '[[rule]]\nkinds = ["MAPPABLE"\n\n', ['2:20', /invalid TOML/]],
  [
    'a table of inline lines is of a later TOML',
    '[[rule]]\nmax_bytes = {\n}',
    ['3:1', /invalid TOML: No newlines/],
  ],
  [
    'a key twice',
    'overcommit = true\novercommit = false\n',
    ['2:1', /invalid TOML: Defining a key multiple times/],
  ],
  ['a table twice', '[limits]\n[limits]\n', ['2:2', /Defining a key multiple times/]],
  [
    'an unknown key',
    'color = 1\n',
    ['1:1', /^unknown key "color"\. Allowed: overcommit, limits, pressure, rule\.$/],
  ],
  ['a key of one letter less', 'overcomit = true\n', ['1:1', /Did you mean overcommit\?/]],
  [
    'two letters swapped',
    '[[rule]]\nconnetc = true\n',
    ['2:1', /unknown key "connetc" of a rule\. Did you mean connect\?/],
  ],
  ['another way of writing', '[[rule]]\nMax-Bytes = 1\n', ['2:1', /Did you mean max_bytes\?/]],
  [
    'in a table',
    '[limits]\nsession = 1\n',
    ['2:1', /unknown key "session" of \[limits\]\. Did you mean sessions\?/],
  ],
  ['in a subtable', '[[rule]]\n[rule.rights]\nconnect = true\n', ['2:7', /unknown key "rights" of a rule/]],
  [
    'a dotted key',
    '[[rule]]\nmax_bytes.heap = 1\n',
    ['2:11', /max_bytes: "heap" is not the index of a heap/],
  ],
  [
    'an unknown table',
    '[presure]\nelevated = 5\n',
    ['1:2', /unknown key "presure"\. Did you mean pressure\?/],
  ],
  [
    'a table that is none',
    'limits = 5\n',
    ['1:1', /limits: 5 is a whole number; allowed: a table, \[limits\]/],
  ],
  [
    'a rule that is no list',
    '[rule]\nuid = 5\n',
    ['1:2', /rule: this is a table; allowed: tables in a list, \[\[rule\]\]/],
  ],
  [
    'a list that holds no rules',
    'rule = [{ uid = 5, connect = true }, 7]\n',
    ['1:38', /rule: 7 is a whole number/],
  ],
  [
    'a string for a boolean',
    '[[rule]]\nconnect = "yes"\n',
    ['2:11', /connect: "yes" is a string; allowed: true or false/],
  ],
  ['a number for a boolean', 'overcommit = 1\n', ['1:14', /overcommit: 1 is a whole number/]],
  [
    'a fraction',
    '[[rule]]\nmax_sessions = 1.5\n',
    ['2:16', /1\.5 is a fraction; allowed: a whole number from 0 to 4294967295, or "unlimited"/],
  ],
  ['a date', '[[rule]]\nmax_tickets = 2026-01-02\n', ['2:15', /2026-01-02 is a date/]],
  [
    'a word for a count',
    '[[rule]]\nmax_allocations = "many"\n',
    ['2:19', /max_allocations: "many" is a string/],
  ],
  ['a count below zero', '[[rule]]\nmax_sessions = -1\n', ['2:16', /max_sessions: -1 is too small/]],
  [
    'a count that no integer holds',
    '[[rule]]\nmax_sessions = 99999999999999999999999\n',
    ['2:16', /too large/],
  ],
  [
    'a limit of 0',
    '[limits]\nsessions = 0\n',
    ['2:12', /sessions: 0 is too small; allowed: a whole number from 1 to/],
  ],
  [
    'a limit without limits',
    '[limits]\nqueued_messages = 9_999_999\n',
    ['2:19', /queued_messages: 9999999 is too large/],
  ],
  [
    'a limit in bytes',
    '[limits]\nqueued_bytes = "1KiB"\nfds_in_flight = "4"\n',
    ['3:17', /fds_in_flight: "4" is a string/],
  ],
  ['too few bytes', '[limits]\nqueued_bytes = 5\n', ['2:16', /queued_bytes: 5 bytes are too few/]],
  ['too many', '[limits]\nqueued_bytes = "4TiB"\n', ['2:16', /4398046511104 bytes are too many/]],
  [
    'a percentage above 100',
    '[pressure]\nelevated = 101\n',
    ['2:12', /elevated: 101 is too large; allowed: a whole number from 1 to 100/],
  ],
  ['of a heap', '[[rule]]\nmax_bytes = "101%"\n', ['2:13', /"101%" is more than a whole heap/]],
  [
    'an unknown kind',
    '[[rule]]\nkinds = ["MAPPABLE", "MAPABLE", "RAM"]\n',
    [
      '2:22',
      /"MAPABLE" is unknown \(did you mean "MAPPABLE"\?\); allowed: a list of "MAPPABLE", "OPAQUE_FD"/,
    ],
    ['2:33', /"RAM" is unknown;/],
  ],
  [
    'an unknown lifetime',
    '[[rule]]\nlifetimes = "named"\n',
    ['2:13', /lifetimes: "named" is unknown \(did you mean "NAMED"\?\)/],
  ],
  [
    'an unknown access',
    '[[rule]]\nclaim_access = "wr"\n',
    ['2:16', /claim_access: "wr" is unknown.*allowed: "ro" or "rw"/],
  ],
  [
    'a user who is not there',
    '[[rule]]\nuid = "no-such-user"\n',
    ['2:7', /uid: there is no user "no-such-user"/],
  ],
  [
    'a group that is not there',
    '[[rule]]\ngid = ["root", "no-such"]\n',
    ['2:16', /gid: there is no group "no-such"/],
  ],
  [
    'a number in quotes',
    '[[rule]]\nclaim_from = ["1000"]\n',
    ['2:15', /claim_from: "1000" is a number in quotes/],
  ],
  [
    'what no user is called',
    '[[rule]]\nuid = ["-h", "a b", "a:b", ""]\n',
    ['2:8', /not a valid user name/],
    ['2:14', /not a valid user/],
    ['2:21', /not a valid user/],
    ['2:28', /not a valid user/],
  ],
  [
    'ids that nobody has',
    '[[rule]]\nuid = [4294967295, -1]\n',
    ['2:8', /4294967295 is too large/],
    ['2:20', /-1 is too small/],
  ],
  ['an id as a fraction', '[[rule]]\ngroup = 5.0\n', ['2:9', /group: 5\.0 is a fraction/]],
  ['a user twice, by name and number', '[[rule]]\nuid = ["root", 0]\n', ['2:16', /uid: 0 is given twice/]],
  ['a kind twice', '[[rule]]\nkinds = ["DMA_BUF", "DMA_BUF"]\n', ['2:21', /"DMA_BUF" is given twice/]],
  ['a list in a list', '[[rule]]\nkinds = [["DMA_BUF"]]\n', ['2:10', /kinds: this is a list/]],
  [
    'what no unit is called',
    '[[rule]]\nunit = ["a b.service", "[ab].service", 5]\n',
    ['2:9', /"a b\.service" cannot match the name of a unit/],
    ['2:24', /"\[ab\]\.service"/],
    ['2:40', /5 is a whole number/],
  ],
  [
    'a size without meaning',
    '[[rule]]\nmax_bytes = "lots"\n',
    ['2:13', /max_bytes: "lots" is not a size; allowed: bytes, a size such as "64MiB"/],
  ],
  [
    'a unit that could be meant either way',
    '[[rule]]\nmax_bytes = "64M"\n',
    ['2:13', /"M" is not a unit of a size/],
  ],
  ['a size below zero', '[[rule]]\nmax_bytes = -1\n', ['2:13', /"-1" is not a size/]],
  ['a size that nothing holds', '[[rule]]\nmax_bytes = "99999999TiB"\n', ['2:13', /too large/]],
  ['a size as a boolean', '[[rule]]\nmax_bytes = true\n', ['2:13', /max_bytes: true is a boolean/]],
  [
    'heaps that no device has',
    '[[rule]]\nmax_bytes = { 16 = 1, 00 = 1, -1 = 1 }\n',
    ['2:15', /"16" is not the index of a heap/],
    ['2:23', /"00" is not the index/],
    ['2:31', /"-1" is not the index/],
  ],
  [
    'a share that is kept',
    '[[rule]]\nreserved_bytes = "share"\n',
    ['2:18', /reserved_bytes: "share" cannot be reserved/],
  ],
  [
    'everything kept',
    '[[rule]]\nreserved_bytes = { 0 = "unlimited" }\n',
    ['2:24', /"unlimited" cannot be reserved/],
  ],
  [
    'more kept than may be had',
    '[[rule]]\nuid = 5\nmax_bytes = "1GiB"\nreserved_bytes = "2GiB"\n',
    ['4:18', /more bytes are reserved than max_bytes allows/],
  ],
  [
    'on one heap',
    '[[rule]]\nuid = 5\nmax_bytes = { 1 = "10%" }\nreserved_bytes = "20%"\n',
    ['4:18', /more bytes are reserved on heap 1 than/],
  ],
  [
    'elevated above critical',
    '[pressure]\nelevated = 90\ncritical = 85\n',
    ['3:12', /elevated \(90\) is above critical \(85\)/],
  ],
  ['above the default', '[pressure]\nelevated = 96\n', ['2:12', /elevated \(96\) is above critical \(95\)/]],
  ['below the default', '[pressure]\ncritical = 79\n', ['2:12', /elevated \(80\) is above critical \(79\)/]],
];
