/**
 * Real daemons under AddressSanitizer and UndefinedBehaviorSanitizer (sanitized.ts): what users do, and what
 * comes in from outside.
 */
import t from 'tap';
import { testSanitized } from './sanitized.js';

const FILES = ['main-job', 'import'];

testSanitized(
  t,
  FILES.map((name) => `daemon/${name}.test.js`),
);
