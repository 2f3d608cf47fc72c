/**
 * Debian's checker of packages finds no error, and few warnings.
 */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { plainEnvironment } from '../support/daemon.js';
import { builtPackage, lacking, noPackage } from './support.js';

const MAX_WARNINGS = 3;
/**
 * That check only makes notes, which are neither errors nor warnings (spelling-error-in-binary), and reads all
 * strings of Node.js for it: a third of lintian's time.
 */
const WITHOUT_SPELLING = ['--dont-check-part', 'binaries/spelling'];

t.setTimeout(900_000);

t.test('lintian', { skip: noPackage || lacking('lintian'), timeout: 600_000 }, async (t) => {
  const { stdout, stderr } = spawnSync(
    'lintian',
    ['--allow-root', '--tag-display-limit', '0', ...WITHOUT_SPELLING, builtPackage()],
    {
      encoding: 'utf8',
      env: { ...plainEnvironment(), LC_ALL: 'C.UTF-8' },
      timeout: 600_000,
    },
  );
  const tags = (letter: string) => stdout.split('\n').filter((line) => line.startsWith(`${letter}: `));
  t.strictSame(tags('E'), [], stderr);
  t.ok(tags('W').length <= MAX_WARNINGS, tags('W').join('\n'));
});
