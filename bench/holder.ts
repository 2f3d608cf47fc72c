/**
 * A process that holds very much of a daemon, until its standard input ends: holder.js RUNTIME_DIR.
 *
 * Lines of its standard input say how much it is to hold in all, `sessions N` or `allocations N`; it answers each with
 * the number that it holds, which is smaller where the daemon may have no more. Allocations are MAPPABLE, of one page,
 * without a grant.
 */
import { createInterface } from 'node:readline';
import { connect, type Memory } from '@vkmemd/client';
import { VkmemError } from '@vkmemd/proto';
import { Wire } from './wire.js';

const [runtimeDir = ''] = process.argv.slice(2);
const BYTES = 4096;
/** Of allocations in one message, and of connections that are opened at once. */
const AT_ONCE = 250;
const CONNECTING = 16;
/** Left free for connections of others, where the daemon may have no more. */
const LEFT_FREE = 64;
const FULL = ['TOO_MANY_SESSIONS', 'TOO_MANY_FILES', 'TOO_MANY_ALLOCATIONS', 'QUOTA_EXCEEDED'];

const isFull = (failure: unknown): boolean => failure instanceof VkmemError && FULL.includes(failure.code);

const sessions: Wire[] = [];

async function holdSessions(count: number): Promise<number> {
  let [begun, full] = [sessions.length, false];
  const open = async () => {
    for (; begun < count && !full; ) {
      begun += 1;
      try {
        sessions.push(await Wire.openPatiently(runtimeDir));
      } catch (failure) {
        if (!isFull(failure)) throw failure;
        full = true;
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTING }, open));
  if (full) for (const session of sessions.splice(-LEFT_FREE)) session[Symbol.dispose]();
  return sessions.length;
}

const allocations: Memory[] = [];
let owner: ReturnType<typeof connect> | undefined;

async function holdAllocations(count: number): Promise<number> {
  owner ??= connect({ runtimeDir, clientName: 'bench holder', timeoutMs: 120_000 });
  const client = await owner;
  try {
    while (allocations.length < count) {
      const length = Math.min(AT_ONCE, count - allocations.length);
      const list = Array.from({ length }, () => ({ size: BYTES, grant: [] }));
      allocations.push(...(await client.allocateMany(list)));
    }
  } catch (failure) {
    if (!isFull(failure)) throw failure;
    for (const memory of allocations.splice(-LEFT_FREE)) await memory.free();
  }
  return allocations.length;
}

const HOLDS: Readonly<Record<string, (count: number) => Promise<number>>> = {
  sessions: holdSessions,
  allocations: holdAllocations,
};

for await (const line of createInterface({ input: process.stdin })) {
  const [what = '', count = '0'] = line.split(' ');
  const held = (await HOLDS[what]?.(Number(count))) ?? 0;
  process.stdout.write(`${held}\n`);
}
for (const session of sessions) session[Symbol.dispose]();
await (await owner)?.close();
process.exit(0);
