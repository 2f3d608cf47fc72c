/**
 * A daemon with few file descriptors and no privileges, and the calls that failed in it because no fds were
 * left.
 */
import { chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { ANYBODY, root, startDaemon, type TestDaemon, temporaryFolder } from './daemon.js';
import { OTHER_UID } from './uid.js';

const LIBRARY = join(root, 'test/native/build/libfd_witness.so');

/** Enough that a few sessions can work, and so few that a handful of fds in flight makes a difference. */
export const FEW_FDS = 64;

export interface Witnessed extends TestDaemon {
  /** Calls that failed with EMFILE, ENFILE or ETOOMANYREFS, each with its errno. */
  failures(): string[];
  /** The number of its open fds. */
  open(): number;
  /** The processor time that it has used, in milliseconds. */
  cpuMs(): number;
}

/** @param policy in addition to one that admits every user. */
export async function startWitnessed(t: Test, policy = '', maxFds = FEW_FDS): Promise<Witnessed> {
  if (!existsSync(LIBRARY)) throw new Error(`there is no ${LIBRARY}: run \`node scripts/setup.mjs test\``);
  const log = join(temporaryFolder(t), 'failures');
  writeFileSync(log, '');
  for (const path of [join(log, '..'), log]) chownSync(path, OTHER_UID, OTHER_UID);
  const daemon = await startDaemon(t, {
    user: { uid: OTHER_UID, gid: OTHER_UID },
    policy: `${policy}\n${ANYBODY}`,
    env: {
      // A sanitizer that this process runs under must be preloaded first.
      LD_PRELOAD: [process.env.LD_PRELOAD, LIBRARY].filter(Boolean).join(':'),
      FD_WITNESS_LOG: log,
      FD_WITNESS_MOST: String(maxFds),
    },
  });
  return {
    ...daemon,
    failures: () => readFileSync(log, 'utf8').split('\n').filter(Boolean),
    open: () => readdirSync(`/proc/${daemon.pid}/fd`).length,
    cpuMs: () => {
      // The program's name may contain spaces; utime and stime are the 12th and 13th fields after it, in
      // ticks of 10 ms.
      const [, after = ''] = readFileSync(`/proc/${daemon.pid}/stat`, 'utf8').split(') ');
      const fields = after.split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
  };
}
