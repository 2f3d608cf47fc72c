/**
 * Loaded into a daemon by `node --import`, before the daemon's own modules: V8 counts the calls of every
 * function. For each message on the IPC channel it sends the functions that were called since the previous
 * message.
 */
import { type Profiler, Session } from 'node:inspector';

/** A function that was called: the URL of its file, and its offset there. */
export type Entered = readonly [url: string, offset: number];

const session = new Session();
session.connect();
// Both commands complete before post() returns.
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

function enteredSinceLast(): Entered[] {
  let scripts: readonly Profiler.ScriptCoverage[] = [];
  session.post('Profiler.takePreciseCoverage', (failure, { result }) => {
    if (failure) throw failure;
    scripts = result;
  });
  return scripts
    .filter(({ url }) => url.startsWith('file:'))
    .flatMap(({ url, functions }) =>
      functions.flatMap(({ ranges }) =>
        ranges.filter(({ count }) => count > 0).map(({ startOffset }): Entered => [url, startOffset]),
      ),
    );
}

process.on('message', () => process.send?.(enteredSinceLast()));
// The channel must not keep the process alive.
process.channel?.unref();
