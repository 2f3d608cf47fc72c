/**
 * vkmemctl quota: shows the limits and the usage of users; for operators, changes the limits.
 */
import { percentIn, percentOf, VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { HeapChange, Quota, QuotaChange, QuotaResult } from '../request/quota.js';
import { actionOf, type Context, EXIT_FAILED, newCommand } from './command.js';
import { type Column, humanBytes, table } from './format.js';
import { parseNumber, parseSize } from './size.js';
import { parseUser } from './user.js';

const DESCRIPTION = `Show the limits and the usage of a user: your own, those of USER (a name or uid), or with
--all those of all users that hold something.

LIMIT is the maximum that the user may hold, draining memory included ('-' for no limit of its own). OVERAGE
is the use above a limit that was lowered: nothing is revoked, but nothing more can be allocated. RESERVED is
reserved for the user: others cannot allocate it. A fair share of a heap changes when users connect or leave.

With an option that sets a limit, an operator changes the quota of USER, until --reset, or until the daemon
ends without an fd store. Limits that are not specified stay unchanged. Sizes are written as in the policy: in
bytes, with the unit K, M, G or T (64M, 64MiB), or as a percentage of the heap (50%). 'unlimited' sets a limit
to the whole heap, or a number to 4294967295; a fair share comes only from the policy (--reset). Every change
gives the quota a new REVISION. If the quota has another revision than --if-revision (STALE), or the limits
contradict each other or the reservations of others (CONFLICT), nothing is changed, and the exit code is 1.`;

const EXAMPLES = [
  'quota',
  'quota --all --json',
  'quota 1000 --set heap0=16GiB --reserve heap0=1GiB --sessions 8',
  'quota www-data --set heap0=50% --allocations unlimited',
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

/** The largest count of the contract. */
const UNLIMITED = 0xffffffff;

/** Reads the sizes of the heaps. They are read only if an option needs them. */
type Sizes = () => Promise<readonly bigint[]>;

/** Parses 'heap0=16GiB' or '0=50%'. */
async function parseHeap(
  option: '--set' | '--reserve',
  text: string,
  sizes: Sizes,
): Promise<[heap: number, bytes: bigint]> {
  const [, index, term] = /^(?:heap)?(\d+)=(.+)$/.exec(text.trim()) ?? [];
  const wrong = (why: string) =>
    new VkmemError('INVALID_ARGUMENT', `${option}: ${JSON.stringify(text)} ${why}`, { field: option });
  if (index === undefined || term === undefined) {
    throw wrong('is not a heap and a size; write heap0=16GiB.');
  }
  const heap = Number(index);
  const percent = term === 'unlimited' && option === '--set' ? 100 : percentIn(term);
  if (percent === undefined) {
    if (term === 'share') throw wrong('is a fair share, which only the policy can give; use --reset.');
    if (term === 'unlimited') throw wrong('cannot be reserved.');
    return [heap, parseSize(term)];
  }
  if (percent > 100) throw wrong('is more than a whole heap.');
  const all = await sizes();
  const size = all[heap];
  if (size === undefined) {
    throw wrong(`names a heap that the device does not have. It has the heaps 0 to ${all.length - 1}.`);
  }
  return [heap, percentOf(size, percent)];
}

/** The limits and reservations of each specified heap. */
async function heapChanges({ set = [], reserve = [] }: Options, sizes: Sizes): Promise<HeapChange[]> {
  const parsed = async (option: '--set' | '--reserve', texts: readonly string[]) =>
    new Map(await Promise.all(texts.map((text) => parseHeap(option, text, sizes))));
  const [limits, reserved] = [await parsed('--set', set), await parsed('--reserve', reserve)];
  const heaps = new Set([...limits.keys(), ...reserved.keys()]);
  return [...heaps].map((heap) => ({ heap, limit: limits.get(heap), reserved: reserved.get(heap) }));
}

/** The change that the options specify; undefined if there is none. */
async function changeOf(options: Options, sizes: Sizes): Promise<Omit<QuotaChange, 'uid'> | undefined> {
  const heaps = await heapChanges(options, sizes);
  const given = COUNTS.filter((what) => options[what] !== undefined);
  const { reset, ifRevision } = options;
  if (heaps.length + given.length === 0 && !reset) {
    if (ifRevision === undefined) return undefined;
    throw new VkmemError('INVALID_ARGUMENT', '--if-revision requires an option that changes the quota.', {
      field: '--if-revision',
    });
  }
  const countOf = (what: (typeof COUNTS)[number], text = '') =>
    text === 'unlimited' ? UNLIMITED : parseNumber(`--${what}`, text);
  const counts = given.map((what) => [what, countOf(what, options[what])]);
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
    .argument('[user]', 'the name or uid of a user (default: your own)')
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
        const sizes = async () => (await control.budget()).heaps.map(({ sizeBytes }) => sizeBytes);
        const uid = operand === undefined ? undefined : parseUser(operand);
        const change = await changeOf(options, sizes);
        if (change) {
          if (uid === undefined || options.all) {
            throw new VkmemError('INVALID_ARGUMENT', 'A change requires one USER, and not --all.', {
              field: 'uid',
            });
          }
          return printResult(context, await control.policy.setQuota({ uid, ...change }));
        }
        if (options.all && uid !== undefined) {
          throw new VkmemError('INVALID_ARGUMENT', 'USER and --all cannot be used together.', {
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
