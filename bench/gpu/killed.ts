/** SIGKILL of the daemon under its supervisor, and the time until the next one serves a claim. */
import { attempt, type Bench, newFolder, repeat, socketOf } from './bench.js';
import { MIB } from './rows.js';
import { SupervisedDaemon } from './supervised.js';

const PREFIX = 'kept-';
/** Each has its own supervisor. */
const MAX_ROUNDS = 3;

async function once(bench: Bench, count: number): Promise<number> {
  const { programs, largeBytes } = bench;
  // Whole pages of the device.
  const bytes = Math.max(Math.floor(largeBytes / count / (2 * MIB)), 1) * 2 * MIB;
  await using daemon = await SupervisedDaemon.start(newFolder(bench));
  const socket = socketOf(daemon);
  await programs.run('client', ['many', socket, bytes, count, PREFIX]);
  const { ms } = await programs.run<{ ms: number }>('client', ['killed', socket, `${PREFIX}0`, daemon.core]);
  return ms;
}

export async function measureKilled(bench: Bench): Promise<void> {
  const rounds = Math.min(bench.rounds, MAX_ROUNDS);
  for (const [row, count] of [['killed', 1] as const, ['killedMany', bench.many] as const]) {
    await attempt(bench, [row], `SIGKILL with ${count}`, async () => {
      bench.rows.measured(row, { vkmemd: await repeat(rounds, () => once(bench, count)) });
    });
  }
}
