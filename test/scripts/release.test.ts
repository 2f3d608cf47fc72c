/**
 * The version has one source, and `npm run release` on copies of this checkout: what it prints, what it
 * refuses, what it does, and that a failure leaves everything as it was. Lint and the builds of packages are
 * replaced by programs that only write down that they ran.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { daemonProgram, plainEnvironment, root, temporaryFolder } from '../support/daemon.js';

const RAN = 'dist-package/ran';
const ENVIRONMENT = {
  ...plainEnvironment(),
  GIT_AUTHOR_NAME: 'A Maintainer',
  GIT_AUTHOR_EMAIL: 'maintainer@example.invalid',
  GIT_COMMITTER_NAME: 'A Maintainer',
  GIT_COMMITTER_EMAIL: 'maintainer@example.invalid',
};
/** A program, as a script of package.json, that writes its name and its arguments into RAN. */
const recording = (name: string, status = 0): string =>
  `f() { mkdir -p $(dirname ${RAN}); printf '%s ' ${name} "$@" >> ${RAN}; return ${status}; }; f`;

const { workspaces, version }: { workspaces: string[]; version: string } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
/** Of this checkout, what a release reads or changes. */
const COPIED = [
  ...['.gitignore', 'CHANGELOG.md', 'README.md', 'docs', 'package.json', 'package-lock.json', 'scripts'],
  ...workspaces.map((folder) => join(folder, 'package.json')),
];
const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
const NEXT = `${major}.${minor + 1}.0`;

/** A repository with a copy of what a release reads or changes. */
class Copy {
  readonly folder: string;

  /** @param lint the exit status of lint. @param build that of the package's build. */
  constructor(t: Test, { lint = 0, build = 0, entry = `${NEXT}, unreleased\n\n- Something new.\n` } = {}) {
    this.folder = temporaryFolder(t);
    for (const path of COPIED) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      cpSync(join(root, path), join(this.folder, path), { recursive: true });
    }
    const manifest = this.json('package.json');
    manifest.scripts.lint = recording('lint', lint);
    manifest.scripts.package = recording('package', build);
    manifest.scripts['package:npm'] = recording('package:npm');
    writeFileSync(join(this.folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
    this.edit('CHANGELOG.md', (text) => text.replace(/^## /m, `## ${entry}\n## `));
    this.git('init', '--quiet');
    this.git('add', '--all');
    this.git('commit', '--quiet', '--message', 'copy');
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), 'utf8');
  }

  // biome-ignore lint/suspicious/noExplicitAny: a manifest of any package
  json(file: string): any {
    return JSON.parse(this.read(file));
  }

  edit(file: string, change: (text: string) => string): void {
    writeFileSync(join(this.folder, file), change(this.read(file)));
  }

  git(...args: string[]): string {
    return execFileSync('git', args, { cwd: this.folder, env: ENVIRONMENT, encoding: 'utf8' }).trim();
  }

  release(...args: string[]) {
    const options = { cwd: this.folder, env: ENVIRONMENT, encoding: 'utf8' } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/release.mjs', ...args], options);
    return { status, stdout, stderr };
  }

  /** Which of the programs ran, in this order. */
  get ran(): string {
    return existsSync(join(this.folder, RAN)) ? this.read(RAN).trim() : '';
  }

  /** What a release changes. */
  get state() {
    return {
      head: this.git('rev-parse', 'HEAD'),
      changes: this.git('status', '--porcelain'),
      tags: this.git('tag'),
    };
  }
}

t.test('all parts have one version', async (t) => {
  const { versionFaults } = await import(join(root, 'scripts/versions.mjs'));
  t.strictSame(versionFaults(root), [], 'the manifests, the lock and the documentation agree');
  const programs = { vkmemd: daemonProgram, vkmemctl: join(root, 'client/typescript/dist/cli/main.js') };
  for (const [name, program] of Object.entries(programs)) {
    const { stdout } = spawnSync(process.execPath, [program, '--version'], {
      env: ENVIRONMENT,
      encoding: 'utf8',
    });
    t.match(stdout, new RegExp(`^(${name} )?${version.replaceAll('.', '[.]')}\\b`), `${name} --version`);
  }
});

t.test('without --execute a release only prints its steps', async (t) => {
  const copy = new Copy(t);
  const before = copy.state;
  const { status, stdout, stderr } = copy.release();
  t.strictSame({ status, stderr }, { status: 0, stderr: '' });
  for (const line of [
    `version ${version} -> ${NEXT}, in all manifests`,
    'CHANGELOG.md: 1 items',
    'npm run package -- --arch amd64: ',
    'npm run package -- --arch arm64: ',
    'npm run package:npm -- --all: ',
    `tag v${NEXT}`,
    'nothing was changed',
  ]) {
    t.match(stdout, line);
  }
  t.strictSame(copy.state, before, 'nothing was changed');
  t.equal(copy.ran, '', 'and nothing run');
});

t.test('with --execute a release changes the version and tags the commit', async (t) => {
  const copy = new Copy(t);
  copy.edit('docs/operations.md', (text) => `${text}\napt install ./vkmemd_${version}_amd64.deb\n`);
  copy.git('commit', '--quiet', '--all', '--message', 'docs');
  const { status, stdout, stderr } = copy.release('minor', '--execute');
  t.equal(status, 0, stderr);
  t.equal(copy.ran, 'lint package --arch amd64 package --arch arm64 package:npm --all');
  t.match(stdout, `v${NEXT} is commit ${copy.git('rev-parse', '--short', 'HEAD')}`);
  t.equal(copy.git('log', '-1', '--format=%s'), `release: ${NEXT}`);
  t.equal(copy.git('describe'), `v${NEXT}`, 'an annotated tag');
  t.equal(copy.git('status', '--porcelain'), '');

  const lock = copy.json('package-lock.json');
  for (const folder of ['.', ...workspaces]) {
    t.equal(copy.json(join(folder, 'package.json')).version, NEXT, folder);
    t.equal(lock.packages[folder === '.' ? '' : folder].version, NEXT, `${folder} in the lock`);
  }
  t.equal(copy.json('daemon/package.json').dependencies['@vkmemd/proto'], NEXT);
  t.equal(lock.packages.daemon.dependencies['@vkmemd/proto'], NEXT);
  t.match(copy.read('CHANGELOG.md'), new RegExp(`^## ${NEXT}, \\d{4}-\\d\\d-\\d\\d$`, 'm'));
  t.match(copy.read('docs/operations.md'), `vkmemd_${NEXT}_amd64.deb`);
  const changed = copy.git('show', '--numstat', '--format=', 'HEAD').split('\n');
  for (const line of changed) t.match(line, /^(\d+)\t\1\t/, 'a file has as many new lines as old ones');

  const again = copy.release('--execute');
  t.equal(again.status, 1);
  t.match(again.stderr, `the tag v${NEXT} exists`);
});

t.test('a release is refused if a condition is not met', async (t) => {
  const copy = new Copy(t);
  const before = copy.state;
  const refused = (args: string[], reason: string | RegExp) => {
    const { status, stderr } = copy.release(...args, '--execute');
    t.equal(status, 1);
    t.match(stderr, reason);
  };
  refused(['patch'], `CHANGELOG.md begins with ${NEXT}, not with ${major}.${minor}.${patch + 1}`);
  refused(['0.0.1'], `0.0.1 is older than ${version}`);
  t.strictSame(copy.state, before);
  copy.edit('README.md', (text) => `${text}\n`);
  refused([], 'changes that are not committed');
  copy.git('checkout', '--quiet', 'README.md');
  copy.edit('daemon/package.json', (text) => text.replace(`"version": "${version}"`, '"version": "9.9.9"'));
  refused([], `daemon/package.json: 9.9.9, expected ${version}`);
  t.equal(copy.ran, '', 'nothing was run');
  t.equal(copy.release('newest').status, 64);
  t.equal(copy.release('--publish').status, 64);

  const empty = new Copy(t, { entry: `${NEXT}, unreleased\n` }).release();
  t.match(empty.stderr, `CHANGELOG.md: the entry of ${NEXT} is empty`);
  const dated = new Copy(t, { entry: `${NEXT}, 2026-01-31\n\n- Something.\n` }).release();
  t.match(dated.stderr, `CHANGELOG.md: ${NEXT} is not marked as unreleased`);
});

t.test('a step that fails leaves the checkout as it was', async (t) => {
  for (const [options, ran] of [
    [{ lint: 1 }, 'lint'],
    [{ build: 1 }, 'lint package --arch amd64'],
  ] as const) {
    const copy = new Copy(t, options);
    const before = copy.state;
    const { status, stderr } = copy.release('--execute');
    t.equal(status, 1);
    t.match(stderr, /npm run [-\w ]+ failed\nrelease: failed/);
    t.equal(copy.ran, ran);
    t.strictSame(copy.state, before);
  }
});
