/** A front in the process of the core, by the same link: for tests, and for programs that embed a daemon. */
import type { StartFront } from '../link/front-instance.js';
import { Front } from './front.js';

export const startFrontHere: StartFront = (link) => {
  const created = Front.create((what) => process.emitWarning(what));
  return {
    pid: undefined,
    exited: created.then((front) => front.serve(link), String),
    kill: () =>
      void created.then(
        (front) => front.close(),
        () => {},
      ),
    residentBytes: () => 0,
    scheduled: () => undefined,
  };
};
