/**
 * vkmemctl: manages the memory of a vkmemd daemon. Loads the commands only if one is to be run.
 */
import { version } from './version.js';

const args = process.argv.slice(2);
if (args.length === 1 && ['--version', '-V'].includes(args[0] ?? '')) process.stdout.write(`${version()}\n`);
// Not awaited, because a bundle is a script, which has no top-level await. A rejection ends the process.
else void import('./program.js');
