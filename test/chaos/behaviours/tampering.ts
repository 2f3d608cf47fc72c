/**
 * Attempts with a granted fd: shrink the file, seal it, reopen it through /proc with more access than
 * granted, change its mode. None may succeed, except reopening an ADVISORY grant.
 */
import { fchmodSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { addSeals, mapFd, OwnedFd, SEALS, VkmemError } from '@vkmemd/proto';
import { type Behaviour, Breach } from '../behaviour.js';
import { allocateOwn, type Stage } from '../stage.js';

/** The errno, or the code, of the failure. */
function attempt(work: () => void): string {
  try {
    work();
    return 'worked';
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (failure instanceof VkmemError || code !== undefined) return String(code);
    throw failure;
  }
}

function mustFail(what: string, work: () => void): string {
  const result = attempt(work);
  if (result === 'worked') throw new Breach(`${what} worked`);
  return result;
}

/** Reopens the file of an fd. @throws its errno. */
function reopen(stage: Stage, fd: OwnedFd): OwnedFd {
  return stage.keep(new OwnedFd(openSync(`/proc/self/fd/${fd.fd}`, 'r+'), 'reopened'));
}

function overwrite(fd: OwnedFd, length: number): void {
  const mapping = mapFd(fd, { offset: 0n, length, access: 'rw' });
  new Uint8Array(mapping.buffer).fill(0xee);
  mapping.unmap();
}

export const tampering: Behaviour<{ readOnly: boolean; pages: number; what: string }> = {
  name: 'tampering',
  weight: 5,
  plan: (random) => ({
    readOnly: random.chance(0.6),
    pages: random.pick([1, 4, 16]),
    what: random.pick(['ftruncate', 'seals', 'reopen', 'mode', 'beyond']),
  }),
  async perform(stage, { readOnly, pages, what }, random) {
    const wire = await stage.greet();
    const access = readOnly ? 'ACCESS_READ_ONLY' : 'ACCESS_READ_WRITE';
    const { fds, grants, size, id } = await allocateOwn(stage, wire, pages, { access });
    const [fd] = fds;
    if (!fd) return 'no fd';
    let result = '';
    if (what === 'ftruncate') {
      for (const length of [0, 1, size - 1, size + 1, size * 2]) {
        result = mustFail(`ftruncate to ${length}`, () => ftruncateSync(fd.fd, length));
      }
    } else if (what === 'seals') {
      const seals = random.pick([SEALS.WRITE, SEALS.FUTURE_WRITE, SEALS.EXEC, SEALS.SEAL, 0x1f]);
      result = mustFail(`sealing with ${seals}`, () => addSeals(fd, seals));
    } else if (what === 'mode') {
      result = attempt(() => fchmodSync(fd.fd, 0o666));
      // The daemon's own user may.
      if (result === 'worked' && grants[0]?.readOnly === 'READ_ONLY_STRENGTH_ENFORCED') {
        throw new Breach('the mode of a file with an ENFORCED grant was changed');
      }
    } else if (what === 'beyond') {
      result = mustFail('mapping beyond the end', () => overwrite(fd, size + 4096));
    } else {
      if (readOnly) mustFail('mapping read-only memory for writing', () => overwrite(fd, size));
      if (readOnly) mustFail('writing to a read-only fd', () => void writeSync(fd.fd, 'x'));
      result = attempt(() => overwrite(reopen(stage, fd), size));
      if (readOnly && result === 'worked' && grants[0]?.readOnly === 'READ_ONLY_STRENGTH_ENFORCED') {
        throw new Breach('an ENFORCED read-only grant was reopened for writing');
      }
    }
    for (const held of fds) held.close();
    await wire.ask({ free: { allocation: { id } } });
    return `${what} ${result}`;
  },
};
