/**
 * Accesses a file as a dma-buf. Usage: dma-buf-program.js ACCESS STEP..., each step a method of CpuAccess.
 * Prints the result of each step, the start first: 'ok', or the code and the errno.
 */
import { CpuAccess, createMemfd, VkmemError } from '@vkmemd/proto';

const [access, ...steps] = process.argv.slice(2) as ['rw' | 'ro', ...('sync' | 'end')[]];
using fd = await createMemfd('vkmem-no-dma-buf', 4096n);
const outcomes: string[] = [];

function attempt(step: () => void): void {
  try {
    step();
    outcomes.push('ok');
  } catch (failure) {
    if (!(failure instanceof VkmemError)) throw failure;
    outcomes.push(`${failure.code} ${failure.metadata.errno}`);
  }
}

let cpu: CpuAccess | undefined;
attempt(() => {
  cpu = new CpuAccess(fd, access);
});
for (const step of steps) attempt(() => cpu?.[step]());
process.stdout.write(JSON.stringify({ outcomes, begun: cpu?.begun ?? false }));
