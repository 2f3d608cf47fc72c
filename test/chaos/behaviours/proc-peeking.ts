/**
 * Access to other processes' fds and memory through /proc: those of the daemon and of the victims. The kernel
 * refuses it, unless a process was made readable.
 */
import { closeSync, openSync, readdirSync } from 'node:fs';
import { type Behaviour, Breach } from '../behaviour.js';

const FOLDERS = ['fd', 'fdinfo', 'map_files', 'cwd'];
const FILES = ['mem', 'environ', 'exe', ...Array.from({ length: 48 }, (_, fd) => `fd/${fd}`)];

/** The kernel's error; undefined if the access succeeded. */
function refusalOf(look: () => void): string | undefined {
  try {
    look();
    return undefined;
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM' || code === 'ENOENT') return code;
    throw failure;
  }
}

export const procPeeking: Behaviour<{ prey: number; place: string }> = {
  name: 'proc-peeking',
  weight: 1,
  needs: ['others'],
  plan: (random) => ({ prey: random.below(64), place: random.pick([...FOLDERS, ...FILES]) }),
  async perform(stage, { prey, place }) {
    const pids = [stage.daemonPid, ...stage.prey.map(({ pid }) => pid)];
    const path = `/proc/${pids[prey % pids.length]}/${place}`;
    const refusal = refusalOf(() => {
      if (FOLDERS.includes(place)) readdirSync(path);
      else closeSync(openSync(path, 'r'));
    });
    if (refusal === undefined) throw new Breach(`${path} could be opened`);
    return refusal;
  },
};
