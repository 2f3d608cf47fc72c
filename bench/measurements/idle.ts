/** How often the threads of an idle daemon wake, with one session that holds memory: no watchdog wakes it here. */
import { readdirSync, readFileSync } from 'node:fs';
import { AsyncDisposableStack } from '@vkmemd/proto';
import { ownedMemory } from '../operations/claimed.js';
import { rounded } from '../samples.js';
import { type Measurement, pause, startDaemon } from './measurement.js';

/** Until what a start leaves to do is done. */
const SETTLE_MS = 5000;
const WATCHED_MS = 20_000;

/** Thread -> how often it has waited. */
function waits(pid: number): Map<string, number> {
  const tasks = `/proc/${pid}/task`;
  return new Map(
    readdirSync(tasks).map((task) => {
      const name = readFileSync(`${tasks}/${task}/comm`, 'utf8').trim();
      const status = readFileSync(`${tasks}/${task}/status`, 'utf8');
      return [`${name} ${task}`, Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1])];
    }),
  );
}

export const measureIdle: Measurement = async (conditions) => {
  const { bytes, quick } = conditions;
  await using opened = new AsyncDisposableStack();
  const daemon = opened.use(await startDaemon(conditions));
  opened.use(await ownedMemory({ runtimeDir: daemon.runtimeDir, bytes }, 'idle'));
  const processes = { core: daemon.core, front: daemon.front };
  await pause(quick ? 0 : SETTLE_MS);
  const look = () => Object.entries(processes).map(([name, pid]) => [name, waits(pid)] as const);
  const before = new Map(look());
  const begun = performance.now();
  await pause(quick ? 1000 : WATCHED_MS);
  const seconds = (performance.now() - begun) / 1000;
  const threads = look().flatMap(([process, now]) =>
    [...now].map(([thread, count]) => {
      const woken = count - (before.get(process)?.get(thread) ?? 0);
      return [`${process}: ${thread.replace(/ \d+$/, '')}`, woken] as const;
    }),
  );
  const all: Record<string, number> = {};
  for (const [thread, woken] of threads) if (woken > 0) all[thread] = (all[thread] ?? 0) + woken;
  const total = threads.reduce((sum, [, woken]) => sum + woken, 0);
  const bySecond = Object.fromEntries(
    Object.entries(all).map(([name, woken]) => [name, rounded(woken / seconds)]),
  );
  return { values: { idleWakeups: total / seconds }, details: { bySecond, seconds: rounded(seconds) } };
};
