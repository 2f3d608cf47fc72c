/**
 * vkmemctl quota: what users may have and have; for operators, what they may have from now on.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { HeapChange, Quota, QuotaChange, QuotaResult } from '../request/quota.js';
import { actionOf, type Context, EXIT_FAILED, newCommand } from './command.js';
import { type Column, humanBytes, table } from './format.js';
import { parseNumber, parseSize } from './size.js';

const DESCRIPTION = `Show what a user may have and has: your own user, UID's, or with --all everybody's who has anything.

LIMIT is the most that the user may hold ('-' for no limit of its own), draining memory included. OVERAGE is what is used
above a limit that was lowered: nothing is taken back, and nothing more is given. RESERVED is kept for the user: others
cannot have it. A share of a heap changes as users come and go.

With an option that sets something, an operator changes the quota of UID, until --reset or until the daemon ends without
an fd store. What is not named stays as it is; --reset restores the policy's quota. SIZE is in bytes, or with K, M, G or T (KiB, MiB, GiB, TiB). Every change gives the quota another
REVISION. Where it has another one than --if-revision says (STALE), or what is asked contradicts itself or others'
reservations (CONFLICT), nothing is changed, and the exit code is 1.`;

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
  { heading: 'SAID BY' },
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

/** A quota as --json shows it: an absent limit is null. */
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

/** 'heap0=16GiB', or '0=16GiB'. */
function parseHeap(option: string, text: string): [heap: number, bytes: bigint] {
  const [, heap, size] = /^(?:heap)?(\d+)=(.+)$/.exec(text.trim()) ?? [];
  if (heap !== undefined && size !== undefined) return [Number(heap), parseSize(size)];
  const reason = `${option}: ${JSON.stringify(text)} names no heap and size; write heap0=16GiB.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: option });
}

/** The limits and reservations of each heap that is named. */
function heapChanges({ set = [], reserve = [] }: Options): HeapChange[] {
  const limits = new Map(set.map((text) => parseHeap('--set', text)));
  const reserved = new Map(reserve.map((text) => parseHeap('--reserve', text)));
  const heaps = new Set([...limits.keys(), ...reserved.keys()]);
  return [...heaps].map((heap) => ({ heap, limit: limits.get(heap), reserved: reserved.get(heap) }));
}

/** What the options change; undefined for nothing. */
function changeOf(options: Options): Omit<QuotaChange, 'uid'> | undefined {
  const heaps = heapChanges(options);
  const given = COUNTS.filter((what) => options[what] !== undefined);
  const { reset, ifRevision } = options;
  if (heaps.length + given.length === 0 && !reset) {
    if (ifRevision === undefined) return undefined;
    throw new VkmemError('INVALID_ARGUMENT', '--if-revision is for a change.', { field: '--if-revision' });
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
    outcome === 'STALE' ? `It has revision ${quota.revision} by now; look at it and try again.` : reason;
  process.stderr.write(`vkmemctl: ${outcome}: Nothing was changed. ${why}\n`);
  process.exitCode = EXIT_FAILED;
}

export function quotaCommand(): Command {
  return newCommand('quota', DESCRIPTION, EXAMPLES)
    .summary('show and change what users may have')
    .argument('[uid]', "whose; your own user's where it is absent")
    .option('--all', "everybody's")
    .option('--set <heapN=size>', 'the most bytes on a heap; may be repeated', collect)
    .option('--reserve <heapN=size>', 'bytes of a heap that are kept for the user; may be repeated', collect)
    .option('--allocations <n>', 'the most allocations')
    .option('--sessions <n>', 'the most sessions')
    .option('--tickets <n>', 'the most tickets')
    .option('--reset', 'go back to what the policy says')
    .option('--if-revision <n>', 'only if the quota still has this revision')
    .action(
      actionOf(async (context, [operand], given) => {
        const { control, print } = context;
        const options = given as Options;
        const change = changeOf(options);
        const uid = operand === undefined ? undefined : parseNumber('uid', operand);
        if (change) {
          if (uid === undefined || options.all) {
            throw new VkmemError('INVALID_ARGUMENT', 'A change is of one UID.', { field: 'uid' });
          }
          return printResult(context, await control.policy.setQuota({ uid, ...change }));
        }
        if (options.all && uid !== undefined) {
          throw new VkmemError('INVALID_ARGUMENT', 'Either a UID or --all.', { field: 'uid' });
        }
        const quotas = options.all ? await control.policy.listQuotas() : [await control.policy.getQuota(uid)];
        const objects = quotas.map(quotaObject);
        print(options.all ? { quotas: objects } : { quota: objects[0] }, () =>
          quotas.length > 0 ? table(COLUMNS, quotas.flatMap(rows)) : 'Nobody has anything.',
        );
      }),
    );
}
