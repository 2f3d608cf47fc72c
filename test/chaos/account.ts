/** The daemon's own counts and the kernel's at one moment, and the inconsistencies between them. */
import type { Allocation, BudgetReport, Quota } from '@vkmemd/client';
import type { MemoryFile } from './proc.js';

/** The counts of one moment. */
export interface Account {
  readonly budget: BudgetReport;
  readonly allocations: readonly Allocation[];
  readonly quotas: readonly Quota[];
  readonly tickets: number;
  readonly memory: readonly MemoryFile[];
  /** fds by type. */
  readonly sockets: number;
  readonly pidfds: number;
  readonly others: number;
  /** Connections, as the kernel reports them: those of the core, and those of the front. */
  readonly handoff: number;
  readonly control: number;
}

/**
 * The fds of an idle daemon: sockets that are not connections, the pidfd of the front, and fds that are
 * neither sockets nor memory.
 */
export interface Beginning {
  readonly sockets: number;
  readonly pidfds: number;
  readonly others: number;
}

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);

/** A description, and the two values that must be equal. */
type Row = readonly [what: string, one: bigint | number, other: bigint | number];

/** The quotas of users, and what the users have. */
function ofUsers({ budget, allocations, quotas, tickets }: Account): Row[] {
  let [kept, ticketsUsed] = [0n, 0];
  const rows = quotas.flatMap((quota): Row[] => {
    const own = allocations.filter(({ ownerUid }) => ownerUid === quota.uid);
    for (const { reservedBytes, usedBytes } of quota.heaps) {
      if (reservedBytes > usedBytes) kept += reservedBytes - usedBytes;
    }
    ticketsUsed += quota.tickets?.used ?? 0;
    const used = sum(quota.heaps.map(({ usedBytes }) => usedBytes));
    return [
      [
        `bytes on the quota of user ${quota.uid}, and of its allocations`,
        used,
        sum(own.map((one) => one.sizeBytes)),
      ],
      [
        `allocations on the quota of user ${quota.uid}, and its own`,
        quota.allocations?.used ?? 0,
        own.length,
      ],
    ];
  });
  const guaranteed = sum(budget.heaps.map(({ guaranteedBytes }) => guaranteedBytes));
  return [
    ...rows,
    ['bytes guaranteed, and reserved by users who do not use them', guaranteed, kept],
    ['tickets on quotas, and listed', ticketsUsed, tickets],
  ];
}

/** The inconsistencies of an account. */
export function disagreements(account: Account, begin: Beginning): string[] {
  const { budget, allocations, memory, sockets, pidfds, others, handoff } = account;
  const { counts, heaps } = budget;
  const charged = sum(heaps.map(({ liveBytes, drainingBytes }) => liveBytes + drainingBytes));
  const mappable = allocations.filter(({ kinds, imported }) => kinds.includes('KIND_MAPPABLE') || imported);
  const rows: Row[] = [
    [
      'bytes reserved while no request is in progress',
      sum(heaps.map(({ reservedBytes }) => reservedBytes)),
      0n,
    ],
    ['bytes charged, and bytes of allocations', charged, sum(allocations.map(({ sizeBytes }) => sizeBytes))],
    ['allocations counted, and listed', counts.allocations + counts.drainingAllocations, allocations.length],
    ['fds counted, and memfds in /proc', counts.fds, memory.length],
    [
      'bytes of mappable allocations, and of memfds in /proc',
      sum(mappable.map(({ sizeBytes }) => sizeBytes)),
      sum(memory.map(({ size }) => size)),
    ],
    ['sockets, and connections', sockets - begin.sockets, handoff],
    ['other fds, and those at the start', others, begin.others],
  ];
  rows.push(...ofUsers(account));
  const wrong = rows.filter(([, one, other]) => one !== other);
  const texts = wrong.map(([what, one, other]) => `${what}: ${one} and ${other}`);
  if (counts.sessions > handoff) texts.push(`${counts.sessions} sessions on ${handoff} connections`);
  if (pidfds - begin.pidfds < handoff) {
    texts.push(`${pidfds - begin.pidfds} pidfds of ${handoff} connections`);
  }
  if (memory.some(({ size, allocated }) => allocated > size)) texts.push('a memfd has more than its size');
  return texts;
}
