/**
 * The keys of the benchmark's `ratios`: what each says, its goal, and what measures it. Every key is in every report:
 * one that could not be measured has the reason.
 */
import type { Bound } from './goals.js';

/** `starts`: repeated starts (starts.ts); all others are one measurement of that name (measurements/). */
export const SOURCES = [
  'starts',
  'bytes',
  'sessions',
  'ledger',
  'neighbour',
  'crowd',
  'idle',
  'resident',
] as const;
export type Source = (typeof SOURCES)[number];

interface Definition {
  readonly what: string;
  readonly unit: 'x' | 'KiB' | 'MiB' | 'a second';
  readonly from: Source;
  readonly goal?: Bound;
  /** Beyond the goal. */
  readonly moonshot?: number;
}

export const KEYS = {
  claimVsFloor: {
    what: 'claim by name to the first byte, release sent; to the same in C',
    unit: 'x',
    from: 'starts',
    goal: { atMost: 4 },
    moonshot: 2.5,
  },
  wireClaimVsFloor: { what: 'the same without the client library', unit: 'x', from: 'starts' },
  reclaimVsFloor: {
    what: 'claim of memory that the session already holds; to a claim in C',
    unit: 'x',
    from: 'starts',
    goal: { atMost: 1.5 },
  },
  allocateVsFloor: {
    what: 'allocate, grant, map, first byte, free sent; to the same in C',
    unit: 'x',
    from: 'starts',
    goal: { atMost: 7 },
  },
  grpcAllocateVsFloor: { what: 'allocate and free by gRPC; to the same in C', unit: 'x', from: 'starts' },
  grpcVsGrpcFloor: {
    what: 'GetAllocation; to an empty unary call of grpc-js',
    unit: 'x',
    from: 'starts',
    goal: { atMost: 1.3 },
  },
  handoverSizeGrowth: {
    what: 'claim of 1 GiB; to a claim of 1 MiB',
    unit: 'x',
    from: 'starts',
    goal: { atMost: 1.2 },
  },
  handoverVsRedis64MiB: {
    what: 'GET of 64 MiB from Redis over a Unix socket; to a claim of 64 MiB',
    unit: 'x',
    from: 'bytes',
    goal: { atLeast: 50 },
  },
  handoverVsGrpcBytes64MiB: {
    what: '64 MiB in an answer of grpc-js; to a claim of 64 MiB',
    unit: 'x',
    from: 'bytes',
    goal: { atLeast: 50 },
  },
  sessions10k: {
    what: 'p99 of a claim with 10 000 idle sessions; to that with 1',
    unit: 'x',
    from: 'sessions',
    goal: { atMost: 1.5 },
  },
  sessions10kKiB: {
    what: 'memory of the daemon for an idle session',
    unit: 'KiB',
    from: 'sessions',
    goal: { atMost: 12 },
  },
  ledger50k: {
    what: 'p50 of a claim with 50 000 allocations; to that with 1 000',
    unit: 'x',
    from: 'ledger',
    goal: { atMost: 1.2 },
  },
  ledger50kKiB: {
    what: 'memory of the daemon for an allocation, less its bytes',
    unit: 'KiB',
    from: 'ledger',
    goal: { atMost: 4 },
  },
  noisyNeighbour: {
    what: 'p99 of a claim while another client allocates and frees 1 GiB, and a third lists and scrapes; to that alone',
    unit: 'x',
    from: 'neighbour',
    goal: { atMost: 3 },
  },
  requestsPerCpu: {
    what: 'claims of 64 clients for the processor time of the daemon; to those of the server in C',
    unit: 'x',
    from: 'crowd',
    goal: { atLeast: 0.25 },
  },
  idleWakeups: {
    what: 'wake-ups of all threads of an idle daemon, without a watchdog',
    unit: 'a second',
    from: 'idle',
    goal: { atMost: 1 },
  },
  rssIdleMiB: {
    what: 'resident memory of the idle core beyond that of a program in C with the same device open',
    unit: 'MiB',
    from: 'resident',
    goal: { atMost: 80 },
  },
} as const satisfies Readonly<Record<string, Definition>>;
export type KeyName = keyof typeof KEYS;
export const KEY_NAMES = Object.keys(KEYS) as readonly KeyName[];
export const definitionOf = (key: KeyName): Definition => KEYS[key];
