/** An operation, ready to be performed on connections of its own. */
import { type Client, connect } from '@vkmemd/client';
import { VkmemError } from '@vkmemd/proto';
import type { Sample } from '../samples.js';

export interface Operation extends AsyncDisposable {
  /** Performs it once. */
  readonly cycle: () => Promise<void>;
  /**
   * Resolves when the daemon has done all that was sent before. For cycles whose last message may have no answer: none
   * may leave work to the next sample.
   */
  readonly confirm?: () => Promise<void>;
}

/** Where an operation is performed. */
export interface Place {
  readonly runtimeDir: string;
  /** Of the memory that is handed out, where the operation does not say otherwise. */
  readonly bytes: number;
}

export const openClient = ({ runtimeDir }: Place): Promise<Client> =>
  connect({ runtimeDir, clientName: 'bench', timeoutMs: 60_000 });

/** Asks a session for what does not exist, which is answered after all before, and leaves nothing. */
export async function confirmed(client: Client): Promise<void> {
  try {
    await client.claim({ name: 'no-such-memory' });
  } catch (failure) {
    if (failure instanceof VkmemError && failure.code === 'NOT_FOUND') return;
    throw failure;
  }
  throw new Error('memory that was not allocated was granted');
}

/** A slow operation has fewer cycles in a sample, so that no sample takes long. */
const SAMPLE_NS = 20_000_000n;
const MIN_CYCLES = 2;

/**
 * Performs an operation, `cycles` times or fewer, back to back.
 * @param served The processor time that the other end has used, in microseconds.
 */
export async function performed(
  { cycle, confirm }: Operation,
  cycles: number,
  served: () => number,
): Promise<Sample> {
  const [usage, used] = [process.cpuUsage(), served()];
  const times = new BigUint64Array(cycles + 1);
  const begun = process.hrtime.bigint();
  times[0] = begun;
  let done = 0;
  for (let now = begun; done < cycles && (done < MIN_CYCLES || now - begun < SAMPLE_NS); ) {
    await cycle();
    done += 1;
    now = process.hrtime.bigint();
    times[done] = now;
  }
  await confirm?.();
  const since = (from: number, to: number) => Number((times[to] ?? 0n) - (times[from] ?? 0n)) / 1000;
  const latencies = Array.from({ length: done }, (_, index) => since(index, index + 1));
  const daemon = served() - used;
  const { user, system } = process.cpuUsage(usage);
  return { latencies, total: since(0, done), client: user + system, daemon };
}
