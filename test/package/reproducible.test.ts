/**
 * The package is identical byte for byte, whenever and in whatever folder it is built, so that a package can
 * be verified against this source. Its dates are those of the commit, or of $SOURCE_DATE_EPOCH.
 *
 * By default the second package is built without compression, which would take ten times as long: what it
 * contains is compared with what the first one decompresses to, and the members' headers with each other. With
 * VKMEMD_WHOLE_PACKAGES=1 it is compressed too, and the two files are compared.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { builtAnew, builtPackage, noPackage } from './support.js';

const AR_MAGIC = '!<arch>\n';
const AR_HEADER_LENGTH = 60;

interface Member {
  readonly name: string;
  /** Date, owner, group and mode. */
  readonly attributes: string;
  readonly content: Buffer;
}

/** The members of an ar archive, as which a package is stored. */
function membersOf(file: string): Member[] {
  const archive = readFileSync(file);
  t.equal(archive.toString('latin1', 0, AR_MAGIC.length), AR_MAGIC);
  const members: Member[] = [];
  for (let at = AR_MAGIC.length; at < archive.length; ) {
    const header = archive.toString('latin1', at, at + AR_HEADER_LENGTH);
    const size = Number(header.slice(48, 58));
    const begin = at + AR_HEADER_LENGTH;
    const content = archive.subarray(begin, begin + size);
    members.push({ name: header.slice(0, 16).trim(), attributes: header.slice(16, 48), content });
    at = begin + size + (size % 2);
  }
  return members;
}

/** An archive in a package, decompressed. */
const tarOf = (file: string, which: 'ctrl' | 'fsys'): Buffer =>
  execFileSync('dpkg-deb', [`--${which}-tarfile`, file], { maxBuffer: 1 << 29 });

t.setTimeout(900_000);

t.test('a second build is identical', { skip: noPackage, timeout: 300_000 }, async (t) => {
  const [once, second] = [builtPackage(), builtAnew(t, '--compression', 'none')];
  t.not(once, second);
  const [members, others] = [membersOf(once), membersOf(second)];
  t.strictSame(
    members.map(({ name }) => name),
    ['debian-binary', 'control.tar.xz', 'data.tar.xz'],
  );
  t.strictSame(
    members.map(({ name, attributes }) => [name.replace(/\.xz$/, ''), attributes]),
    others.map(({ name, attributes }) => [name, attributes]),
    'the members have the same names, dates and owners',
  );
  t.strictSame(members[0]?.content, others[0]?.content, 'both have the same version of the format');
  for (const which of ['ctrl', 'fsys'] as const) {
    t.ok(tarOf(once, which).equals(tarOf(second, which)), `the archive of ${which} is equal in both`);
  }
});

const notWhole = process.env.VKMEMD_WHOLE_PACKAGES === '1' ? false : 'VKMEMD_WHOLE_PACKAGES=1 is not set';

t.test('so is the whole package', { skip: noPackage || notWhole, timeout: 300_000 }, async (t) => {
  t.ok(readFileSync(builtPackage()).equals(readFileSync(builtAnew(t))), 'both files are equal');
});
