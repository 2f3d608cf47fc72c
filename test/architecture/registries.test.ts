/**
 * No committed file names a package registry: the configuration of npm, apt and similar tools on the
 * installing machine does.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

/** Hosts of registries and mirrors, with spaces for dots, so that this file itself does not match. */
const HOSTS = [
  'registry npmjs org',
  'npmjs com',
  'registry yarnpkg com',
  'npm pkg github com',
  'pypi org',
  'pypi python org',
  'pythonhosted org',
  'deb debian org',
  'security debian org',
  'snapshot debian org',
  'archive ubuntu com',
  'security ubuntu com',
  'ports ubuntu com',
  'crates io',
  'proxy golang org',
  'sum golang org',
  'rubygems org',
  'maven org',
  'docker io',
  'ghcr io',
  'quay io',
].map((words) => words.replaceAll(' ', '.'));
/** Debian's mirrors by country. */
const MIRROR = /\bftp\d?\.(?:[a-z]+\.)?debian\.org\b/;

const ignored = readFileSync(join(root, '.gitignore'), 'utf8').split('\n');

/** The files of the checkout that git does not ignore. */
function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return entry.name === '.git' || ignored.includes(`${entry.name}/`) ? [] : filesIn(path);
    return entry.isFile() && entry.name !== '.git' && !entry.name.endsWith('.tsbuildinfo') ? [path] : [];
  });
}

const files = filesIn('');

t.test('no file names a host of a package registry', async (t) => {
  t.ok(files.includes('package-lock.json'), `${files.length} files were read`);
  const naming = files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'latin1').toLowerCase();
    const found = HOSTS.filter((host) => text.includes(host));
    return [...found, ...(MIRROR.exec(text) ?? [])].map((host) => `${file} names ${host}`);
  });
  t.strictSame(naming, [], 'no file names one');
});

interface Lock {
  readonly packages: Readonly<Record<string, { readonly resolved?: string; readonly link?: boolean }>>;
}

t.test('no lock file names a registry, and npm does not add one', async (t) => {
  const locks = files.filter((file) => file.endsWith('package-lock.json'));
  const own = ['daemon/runtime', 'test/nodes'].map((folder) => `${folder}/package-lock.json`);
  t.strictSame(locks.sort(), [own[0], 'package-lock.json', own[1]], 'the lock files');
  for (const lock of locks) {
    const { packages }: Lock = JSON.parse(readFileSync(join(root, lock), 'utf8'));
    const fetched = Object.entries(packages).filter(([, { resolved, link }]) => resolved && !link);
    t.strictSame(fetched, [], `${lock}: only links have a resolved field`);
  }
  const settings = readFileSync(join(root, '.npmrc'), 'utf8');
  t.match(settings, /^omit-lockfile-registry-resolved=true$/m, 'npm omits the registry');
  t.notMatch(settings, /registry *=/, 'and no registry is configured');
});
