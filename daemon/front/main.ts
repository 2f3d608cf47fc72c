/**
 * The front's program: serves by the link, which the core passes as fd 3, until the link ends.
 *
 * The core starts it by the launcher, which has confined it already. Before it reads anything from the link,
 * it gives up the rest: executing programs, and opening files.
 */
import { confine, OwnedFd } from '@vkmemd/proto';
import { EX_TEMPFAIL } from '../exit-status.js';
import { version } from '../version.js';
import { Front } from './front.js';

const LINK_FD = 3;
/** Reports in a second; further ones are dropped, since clients may cause them. */
const REPORTS_PER_SECOND = 10;

let reported = 0;
setInterval(() => {
  reported = 0;
}, 1000).unref();

/** A line of standard error, which is the daemon's. */
function report(what: string): void {
  reported += 1;
  if (reported <= REPORTS_PER_SECOND) process.stderr.write(`vkmemd-front: ${what}\n`);
}

// After an upgrade the program may be newer than the core that runs: their messages may differ.
const [, , core] = process.argv;
if (core !== version()) {
  report(`this is version ${version()}, and the daemon is ${core}: restart the daemon`);
  process.exit(EX_TEMPFAIL);
}
// The core decides when the front ends: a terminal's signals reach both.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('SIGHUP', () => {});
void Front.create(report).then(async (front) => {
  confine();
  await front.serve(new OwnedFd(LINK_FD, 'link to the core'));
  process.exit(0);
});
