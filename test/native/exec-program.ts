/**
 * Executes another program in this process, with one end of a socket pair as its session. Usage:
 * exec-program.js ENVIRONMENT FILE [ARG...], ENVIRONMENT a JSON array or null; prints how a failure ended.
 */
import { readFileSync } from 'node:fs';
import { becomeProgram, seqpacketPair, VkmemError } from '@vkmemd/proto';

const [environment = 'null', file = '', ...args] = process.argv.slice(2);
/** The signal masks of this thread. */
const signals = () => readFileSync('/proc/thread-self/status', 'utf8').match(/^Sig(Blk|Ign|Cgt):.*$/gm);

const [session] = seqpacketPair();
process.env.SESSION = String(session.fd);
// Node.js makes its output non-blocking where that is a pipe; the new program must find it blocking.
process.stdout.on('error', () => {});
const before = signals();
try {
  becomeProgram({ file, args, environment: JSON.parse(environment) ?? undefined }, session);
} catch (failure) {
  if (!(failure instanceof VkmemError)) throw failure;
  const same = JSON.stringify(before) === JSON.stringify(signals());
  process.stdout.write(JSON.stringify({ code: failure.code, errno: failure.metadata.errno, same }));
}
