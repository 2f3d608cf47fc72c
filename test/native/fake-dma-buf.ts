/** Programs that run with the fake dma-buf preloaded (fake-dma-buf.c), and the logged calls. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { plainEnvironment, root, temporaryFolder } from '../support/daemon.js';
import { type Ended, runNode } from '../support/program.js';

const LIBRARY = join(root, 'test/native/build/libfake_dma_buf.so');

/** How a program ended, and the calls that it made: 'start rw 0'; the number is the errno. */
export interface Faked extends Ended {
  readonly calls: string[];
}

/**
 * Runs Node.js with these arguments on the fake.
 * @param errnos the results of its calls, in order; further calls succeed.
 */
export async function runOnFake(
  t: Test,
  args: readonly string[],
  errnos: readonly number[] = [],
): Promise<Faked> {
  if (!existsSync(LIBRARY)) throw new Error(`there is no ${LIBRARY}: run \`node scripts/setup.mjs test\``);
  const log = join(temporaryFolder(t), 'calls');
  const ended = await runNode(args, {
    ...plainEnvironment(),
    // A sanitizer that this process runs under must be preloaded first.
    LD_PRELOAD: [process.env.LD_PRELOAD, LIBRARY].filter(Boolean).join(':'),
    FAKE_DMA_BUF_LOG: log,
    FAKE_DMA_BUF_ERRNOS: errnos.join(','),
  });
  const calls = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : [];
  return { ...ended, calls };
}
