/**
 * The front's program: serves by the link, which the core passes as fd 3, until the link ends.
 *
 * The core starts it by the launcher, which has confined it already. Before it reads anything from the link,
 * it gives up the rest: executing programs, and opening files.
 */
import { inspect } from 'node:util';
import { setLogger } from '@grpc/grpc-js';
import { confine, OwnedFd } from '@vkmemd/proto';
import { EX_TEMPFAIL } from '../exit-status.js';
import { version } from '../version.js';
import { Front } from './front.js';

const LINK_FD = 3;
/** Reports in a second; further ones are dropped, since clients may cause them. */
const REPORTS_PER_SECOND = 10;

/** In UTF-16 units. */
const MAX_LINE = 400;
/** What would begin another line, or change how a terminal shows it. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;

let reported = 0;
setInterval(() => {
  reported = 0;
}, 1000).unref();

/** A line of standard error, which is the daemon's. Clients may have chosen parts of it. */
function report(what: string): void {
  reported += 1;
  if (reported > REPORTS_PER_SECOND) return;
  const line = what.slice(0, MAX_LINE).replaceAll(CONTROLS, ' ');
  process.stderr.write(`vkmemd-front: ${line}\n`);
}

// Libraries have words of their own, such as grpc-js about each header that is no text.
function say(...words: unknown[]): void {
  // Without work for what is dropped.
  if (reported >= REPORTS_PER_SECOND) return;
  const shown = words.map((word) =>
    typeof word === 'string' ? word : inspect(word, { breakLength: Infinity }),
  );
  report(shown.join(' '));
}
setLogger({ error: say, info: say, debug: say });
Object.assign(console, { error: say, warn: say, info: say, log: say, debug: say });
process.removeAllListeners('warning').on('warning', ({ name, message }) => say(`${name}: ${message}`));

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
