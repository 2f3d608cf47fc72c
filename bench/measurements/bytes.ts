/** 64 MiB handed over by a claim, beside the same bytes from Redis and in an answer of gRPC, in rounds by turns. */
import { AsyncDisposableStack } from '@vkmemd/proto';
import { GrpcCalls } from '../grpc/calls.js';
import { BYTES as BYTES_METHOD, GrpcFloor } from '../grpc/floor.js';
import type { KeyName } from '../keys.js';
import { openClaim } from '../operations/claim.js';
import type { Operation } from '../operations/operation.js';
import { Redis } from '../redis.js';
import { figuresOf, ratioOf, roundOf } from '../samples.js';
import { byTurns } from '../turns.js';
import { type Conditions, type Measurement, startDaemon } from './measurement.js';

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

export const measureBytes: Measurement = async (conditions, keys) => {
  await using opened = new AsyncDisposableStack();
  const reasons: { [key in KeyName]?: string } = {};
  const copies: { readonly key: Copy; readonly operation: Operation; readonly cycles: number }[] = [];
  for (const key of Object.keys(COPIERS) as Copy[]) {
    if (!keys.includes(key)) continue;
    try {
      copies.push({ key, operation: await COPIERS[key](opened, conditions), cycles: COPIES });
    } catch (failure) {
      reasons[key] = (failure as Error).message;
    }
  }
  const daemon = opened.use(await startDaemon(conditions));
  const claim = opened.use(await openClaim({ runtimeDir: daemon.runtimeDir, bytes: BYTES }));
  const effort = conditions.quick ? { warmUp: 0, rounds: 2 } : { warmUp: 10, rounds: 20 };
  const samples = await byTurns([{ operation: claim, cycles: CLAIMS }, ...copies], effort);
  const [claims = [], ...copied] = samples.map((all) => all.map(roundOf));
  const values: { [key in KeyName]?: number } = {};
  const p50: { [what: string]: number } = { claim: figuresOf(claims).p50 };
  for (const [index, { key }] of copies.entries()) {
    const rounds = copied[index] ?? [];
    values[key] = ratioOf(rounds, claims);
    p50[key] = figuresOf(rounds).p50;
  }
  return { values, reasons, details: { p50 } };
};
