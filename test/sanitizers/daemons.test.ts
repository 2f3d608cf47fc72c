/**
 * Real daemons under AddressSanitizer and UndefinedBehaviorSanitizer (sanitized.ts): what users do, what comes in from
 * outside, and clients whose files hang.
 */
import t from 'tap';
import { testSanitized } from './sanitized.js';

const FILES = ['main-job', 'import', 'hostile-fds'];

testSanitized(
  t,
  FILES.map((name) => `spine/${name}.test.js`),
);
