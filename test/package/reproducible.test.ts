/**
 * The package is the same byte for byte, whenever and in whatever folder it is built, so that anybody can
 * check that a package is what this source says. Its dates are those of the commit, or of $SOURCE_DATE_EPOCH.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { builtAnew, builtPackage, noPackage } from './support.js';

t.test('built again', { skip: noPackage, timeout: 300_000 }, async (t) => {
  const [once, second] = [builtPackage(), builtAnew(t)];
  t.not(once, second);
  t.ok(readFileSync(once).equals(readFileSync(second)), 'it is the same');
});
