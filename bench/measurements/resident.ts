/** Resident memory of an idle core, beyond that of a program in C that has the same device open. */
import { AsyncDisposableStack } from '@vkmemd/proto';
import { compile } from '../compile.js';
import { residentKib } from '../daemon.js';
import { Program } from '../program.js';
import { residentParts } from '../resident.js';
import { rounded } from '../samples.js';
import { type Measurement, pause, startDaemon } from './measurement.js';

const SETTLE_MS = 5000;

const mibOf = (pid: number): number => residentKib(pid, 'VmRSS') / 1024;
const roundedParts = (pid: number) =>
  Object.fromEntries(Object.entries(residentParts(pid)).map(([part, mib]) => [part, rounded(mib)]));

export const measureResident: Measurement = async (conditions) => {
  const { folder, quick } = conditions;
  await using opened = new AsyncDisposableStack();
  const daemon = opened.use(await startDaemon(conditions));
  const driver = Program.start(compile('driver', folder), [daemon.uuid]);
  opened.defer(() => driver.end());
  await driver.line();
  await pause(quick ? 0 : SETTLE_MS);
  const [core, front, bare] = [daemon.core, daemon.front, driver.pid].map(mibOf) as [number, number, number];
  return {
    values: { rssIdleMiB: core - bare },
    details: {
      mib: { core: rounded(core), driver: rounded(bare), front: rounded(front) },
      coreParts: roundedParts(daemon.core),
      driverParts: roundedParts(driver.pid),
    },
  };
};
