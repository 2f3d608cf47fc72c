/** 64 MiB handed over by a claim, beside the same bytes from Redis and in an answer of gRPC, in rounds by turns. */
import { AsyncDisposableStack } from '@vkmemd/proto';
import { GrpcCalls } from '../grpc/calls.js';
import { BYTES as BYTES_METHOD, GrpcFloor } from '../grpc/floor.js';
import type { KeyName } from '../keys.js';
import { openClaim } from '../operations/claim.js';
import { type Operation, performed } from '../operations/operation.js';
import { Redis } from '../redis.js';
import { figuresOf, type Round, ratioOf, roundOf } from '../samples.js';
import { type Conditions, type Measurement, type Outcome, startDaemon } from './measurement.js';

const BYTES = 64 * 2 ** 20;
const CLAIMS = 20;
/** Each takes tens of milliseconds. */
const COPIES = 3;

type Copy = 'handoverVsRedis64MiB' | 'handoverVsGrpcBytes64MiB';

const operationOf = (get: () => Promise<Buffer>): Operation => ({
  async cycle() {
    const bytes = await get();
    if (bytes.length !== BYTES) throw new Error(`${bytes.length} of ${BYTES} bytes came`);
  },
  async [Symbol.asyncDispose]() {},
});

const COPIERS: Readonly<
  Record<Copy, (opened: AsyncDisposableStack, conditions: Conditions) => Promise<Operation>>
> = {
  async handoverVsRedis64MiB(opened, { folder }) {
    const redis = opened.use(await Redis.start(folder, BYTES));
    return operationOf(() => redis.get());
  },
  async handoverVsGrpcBytes64MiB(opened, { folder }) {
    const floor = opened.use(await GrpcFloor.start(folder));
    const calls = opened.use(new GrpcCalls(floor.socket, BYTES_METHOD, Buffer.from(String(BYTES))));
    return operationOf(() => calls.call());
  },
};

interface Counted {
  readonly operation: Operation;
  readonly cycles: number;
  readonly rounds: Round[];
}

export const measureBytes: Measurement = async (conditions, keys) => {
  await using opened = new AsyncDisposableStack();
  const reasons: { [key in KeyName]?: string } = {};
  const copies = new Map<Copy, Counted>();
  for (const key of Object.keys(COPIERS) as Copy[]) {
    if (!keys.includes(key)) continue;
    try {
      const operation = await COPIERS[key](opened, conditions);
      copies.set(key, { operation, cycles: COPIES, rounds: [] });
    } catch (failure) {
      reasons[key] = (failure as Error).message;
    }
  }
  const daemon = opened.use(await startDaemon(conditions));
  const place = { runtimeDir: daemon.runtimeDir, bytes: BYTES };
  const claim: Counted = { operation: opened.use(await openClaim(place)), cycles: CLAIMS, rounds: [] };
  const [warmUp, rounds] = conditions.quick ? [0, 2] : [10, 20];
  for (let round = 0; round < warmUp + rounds; round += 1) {
    for (const { operation, cycles, rounds: all } of [claim, ...copies.values()]) {
      const sample = await performed(operation, cycles, () => 0);
      if (round >= warmUp) all.push(roundOf(sample));
    }
  }
  const values: Outcome['values'] = Object.fromEntries(
    [...copies].map(([key, copy]) => [key, ratioOf(copy.rounds, claim.rounds)]),
  );
  const microseconds = (counted: Counted) => figuresOf(counted.rounds).p50;
  const p50 = Object.fromEntries([...copies].map(([key, copy]) => [key, microseconds(copy)]));
  return { values, reasons, details: { p50: { claim: microseconds(claim), ...p50 } } };
};
