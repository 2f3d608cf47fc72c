/**
 * vkmemctl: manages the memory of a vkmemd daemon. Loads the commands only where one is to be run.
 */
import { version } from './version.js';

const args = process.argv.slice(2);
if (args.length === 1 && ['--version', '-V'].includes(args[0] ?? '')) process.stdout.write(`${version()}\n`);
// Not awaited: a bundle is a script, which has no top-level await. Its rejection ends the process.
else void import('./program.js');
