/**
 * The package is identical byte for byte, whenever and in whatever folder it is built, so that a package can
 * be verified against this source. Its dates are those of the commit, or of $SOURCE_DATE_EPOCH.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { builtAnew, builtPackage, noPackage } from './support.js';

t.setTimeout(900_000);

t.test('a second build is identical', { skip: noPackage, timeout: 300_000 }, async (t) => {
  const [once, second] = [builtPackage(), builtAnew(t)];
  t.not(once, second);
  t.ok(readFileSync(once).equals(readFileSync(second)), 'both packages are equal');
});
