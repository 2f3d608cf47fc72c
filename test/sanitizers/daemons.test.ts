/**
 * Real daemons under AddressSanitizer and UndefinedBehaviorSanitizer (sanitized.ts): the requests of users,
 * and input from outside.
 */
import t from 'tap';
import { testSanitized } from './sanitized.js';

const FILES = ['main-job', 'import'];

testSanitized(
  t,
  FILES.map((name) => `daemon/${name}.test.js`),
);
