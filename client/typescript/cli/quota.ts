/**
 * vkmemctl quota: shows the limits and the usage of users; for operators, changes the limits.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { HeapChange, Quota, QuotaChange, QuotaResult } from '../request/quota.js';
import { actionOf, type Context, EXIT_FAILED, newCommand } from './command.js';
import { type Column, humanBytes, table } from './format.js';
import { parseNumber, parseSize } from './size.js';

const DESCRIPTION = `Show the limits and the usage of a user: your own, those of UID, or with --all those of
all users that hold something.

LIMIT is the maximum that the user may hold, draining memory included ('-' for no limit of its own). OVERAGE
is the use above a limit that was lowered: nothing is revoked, but nothing more can be allocated. RESERVED is
reserved for the user: others cannot allocate it. A fair share of a heap changes when users connect or leave.

With an option that sets a limit, an operator changes the quota of UID, until --reset, or until the daemon
ends without an fd store. Limits that are not specified stay unchanged. SIZE is in bytes, or has the unit K,
M, G or T (KiB, MiB, GiB, TiB). Every change gives the quota a new REVISION. If the quota has another revision
than --if-revision (STALE), or the limits contradict each other or the reservations of others (CONFLICT),
nothing is changed, and the exit code is 1.`;

const EXAMPLES = [
  'quota',
  'quota --all --json',
  'quota 1000 --set heap0=16GiB --reserve heap0=1GiB --sessions 8',
  'quota 1000 --allocations 100 --if-revision 3',
  'quota 1000 --reset',
];

const COLUMNS: readonly Column[] = [
  { heading: 'UID', right: true },
  { heading: 'REVISION', right: true },
  { heading: 'SET BY' },
  { heading: 'WHAT' },
  { heading: 'LIMIT', right: true },
  { heading: 'USED', right: true },
  { heading: 'OVERAGE', right: true },
  { heading: 'RESERVED', right: true },
];

interface Options {
  readonly all?: boolean;
  readonly set?: string[];
  readonly reserve?: string[];
  readonly allocations?: string;
  readonly sessions?: string;
  readonly tickets?: string;
  readonly reset?: boolean;
  readonly ifRevision?: string;
}

const COUNTS = ['allocations', 'sessions', 'tickets'] as const;
const collect = (word: string, before: readonly string[] = []): string[] => [...before, word];

/** The representation of a quota with --json. An absent limit is null. */
function quotaObject(quota: Quota): object {
  const { uid, revision, overridden, heaps } = quota;
  const counts = COUNTS.map((what) => {
    const { limit = null, used = 0, overage = 0 } = quota[what] ?? {};
    return [what, { limit, used, overage }];
  });
  return {
    uid,
    revision,
    overridden,
    heaps: heaps.map(({ heapIndex, limitBytes = null, usedBytes, overageBytes, reservedBytes }) => ({
      heapIndex,
      limitBytes,
      usedBytes,
      overageBytes,
      reservedBytes,
    })),
    ...Object.fromEntries(counts),
  };
}

function rows(quota: Quota): string[][] {
  const { uid, revision, overridden, heaps } = quota;
  const whose = [String(uid), String(revision), overridden ? 'operator' : 'policy'];
  const bytes = heaps.map(({ heapIndex, limitBytes, usedBytes, overageBytes, reservedBytes }) => [
    `heap ${heapIndex}`,
    limitBytes === undefined ? '-' : humanBytes(limitBytes),
    humanBytes(usedBytes),
    humanBytes(overageBytes),
    humanBytes(reservedBytes),
  ]);
  const counts = COUNTS.map((what) => {
    const { limit, used = 0, overage = 0 } = quota[what] ?? {};
    return [what, limit === undefined ? '-' : String(limit), String(used), String(overage), ''];
  });
  return [...bytes, ...counts].map((row) => [...whose, ...row]);
}

/** Parses 'heap0=16GiB' or '0=16GiB'. */
function parseHeap(option: string, text: string): [heap: number, bytes: bigint] {
  const [, heap, size] = /^(?:heap)?(\d+)=(.+)$/.exec(text.trim()) ?? [];
  if (heap !== undefined && size !== undefined) return [Number(heap), parseSize(size)];
  const reason = `${option}: ${JSON.stringify(text)} is not a heap and a size; write heap0=16GiB.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: option });
}

/** The limits and reservations of each specified heap. */
function heapChanges({ set = [], reserve = [] }: Options): HeapChange[] {
  const limits = new Map(set.map((text) => parseHeap('--set', text)));
  const reserved = new Map(reserve.map((text) => parseHeap('--reserve', text)));
  const heaps = new Set([...limits.keys(), ...reserved.keys()]);
  return [...heaps].map((heap) => ({ heap, limit: limits.get(heap), reserved: reserved.get(heap) }));
}

/** The change that the options specify; undefined if there is none. */
function changeOf(options: Options): Omit<QuotaChange, 'uid'> | undefined {
  const heaps = heapChanges(options);
  const given = COUNTS.filter((what) => options[what] !== undefined);
  const { reset, ifRevision } = options;
  if (heaps.length + given.length === 0 && !reset) {
    if (ifRevision === undefined) return undefined;
    throw new VkmemError('INVALID_ARGUMENT', '--if-revision requires an option that changes the quota.', {
      field: '--if-revision',
    });
  }
  const counts = given.map((what) => [what, parseNumber(`--${what}`, options[what] ?? '')]);
  const expectedRevision =
    ifRevision === undefined ? undefined : BigInt(parseNumber('--if-revision', ifRevision));
  return { heaps, ...Object.fromEntries(counts), reset, expectedRevision };
}

function printResult({ print }: Context, { outcome, quota, reason }: QuotaResult): void {
  print({ outcome, reason, quota: quotaObject(quota) }, () => table(COLUMNS, rows(quota)));
  if (outcome === 'APPLIED') return;
  const why =
    outcome === 'STALE' ? `The quota now has revision ${quota.revision}; check it and try again.` : reason;
  process.stderr.write(`vkmemctl: ${outcome}: Nothing was changed. ${why}\n`);
  process.exitCode = EXIT_FAILED;
}

export function quotaCommand(): Command {
  return newCommand('quota', DESCRIPTION, EXAMPLES)
    .summary('show and change the quotas of users')
    .argument('[uid]', 'the user (default: your own)')
    .option('--all', 'show all users')
    .option('--set <heapN=size>', 'set the maximum bytes on a heap; may be repeated', collect)
    .option('--reserve <heapN=size>', 'reserve bytes of a heap for the user; may be repeated', collect)
    .option('--allocations <n>', 'set the maximum number of allocations')
    .option('--sessions <n>', 'set the maximum number of sessions')
    .option('--tickets <n>', 'set the maximum number of tickets')
    .option('--reset', 'restore the quota of the policy')
    .option('--if-revision <n>', 'change the quota only if it has this revision')
    .action(
      actionOf(async (context, [operand], given) => {
        const { control, print } = context;
        const options = given as Options;
        const change = changeOf(options);
        const uid = operand === undefined ? undefined : parseNumber('uid', operand);
        if (change) {
          if (uid === undefined || options.all) {
            throw new VkmemError('INVALID_ARGUMENT', 'A change requires one UID, and not --all.', {
              field: 'uid',
            });
          }
          return printResult(context, await control.policy.setQuota({ uid, ...change }));
        }
        if (options.all && uid !== undefined) {
          throw new VkmemError('INVALID_ARGUMENT', 'UID and --all cannot be used together.', {
            field: 'uid',
          });
        }
        const quotas = options.all ? await control.policy.listQuotas() : [await control.policy.getQuota(uid)];
        const objects = quotas.map(quotaObject);
        print(options.all ? { quotas: objects } : { quota: objects[0] }, () =>
          quotas.length > 0 ? table(COLUMNS, quotas.flatMap(rows)) : 'No user holds anything.',
        );
      }),
    );
}
