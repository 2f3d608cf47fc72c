/**
 * Makes a release: `npm run release -- [VERSION|major|minor|patch] [--execute]`. The default version is that
 * of the first entry of CHANGELOG.md.
 *
 * Without --execute it prints the steps and the reasons that prevent the release, and changes nothing. With
 * --execute it sets the version everywhere (versions.mjs), runs lint, commits, builds the packages and tags
 * the commit. If a step fails, the checkout is restored. Nothing is pushed or published. The exit status is 1
 * if the release is prevented, and 64 for wrong arguments.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  changelogEntry,
  compareVersions,
  currentVersion,
  nextVersion,
  setVersion,
  versionFaults,
} from './versions.mjs';

const EX_USAGE = 64;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

function usage(failure) {
  console.error(`release: ${failure.message}`);
  console.error('Usage: npm run release -- [VERSION|major|minor|patch] [--execute]');
  process.exit(EX_USAGE);
}

function parse() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { execute: { type: 'boolean', default: false } },
    });
    if (positionals.length > 1) throw new Error('one version at most');
    const entry = changelogEntry(root).version;
    return { ...values, version: nextVersion(currentVersion(root), positionals[0] ?? entry) };
  } catch (failure) {
    return usage(failure);
  }
}

const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
const { execute, version } = parse();
const tag = `v${version}`;
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** The scripts that build packages, with their arguments. */
const builds = [
  ['package', '--arch', 'amd64'],
  ['package', '--arch', 'arm64'],
  ['package:npm', '--all'],
].filter(([name]) => name in scripts);

/** As a command for the shell. */
const command = ([script, ...args]) =>
  ['npm run', script, ...(args.length > 0 ? ['--', ...args] : [])].join(' ');

/** Runs a script of package.json, with its output on standard error. */
function run(script, ...args) {
  console.log(`release: ${command([script, ...args])}`);
  const words = ['run', '--silent', script, '--', ...args];
  const { status } = spawnSync('npm', words, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`${command([script, ...args])} failed`);
}

/** The reasons that prevent the release, one a line. */
function obstacles() {
  const current = currentVersion(root);
  const entry = changelogEntry(root);
  const found = versionFaults(root);
  if (compareVersions(version, current) < 0)
    found.push(`${version} is older than ${current}, the version in the manifests`);
  if (entry.version !== version) found.push(`CHANGELOG.md begins with ${entry.version}, not with ${version}`);
  else if (entry.lines.length === 0) found.push(`CHANGELOG.md: the entry of ${version} is empty`);
  else if (!entry.unreleased) found.push(`CHANGELOG.md: ${version} is not marked as unreleased`);
  if (git('tag', '--list', tag) !== '') found.push(`the tag ${tag} exists already`);
  if (git('status', '--porcelain') !== '') found.push('the checkout has changes that are not committed');
  return found;
}

function printPlan() {
  const { lines } = changelogEntry(root);
  const items = lines.filter((line) => line.startsWith('- ')).length;
  const current = currentVersion(root);
  console.log(`release: version ${current} -> ${version}, in all manifests and in package-lock.json`);
  console.log(`release: CHANGELOG.md: ${items} items, with the date of today`);
  console.log(`release: commit 'release: ${version}', then npm run lint`);
  for (const build of builds) console.log(`release: ${command(build)}: ${scripts[build[0]]}`);
  console.log(`release: tag ${tag}`);
}

/** Reverts the commit and its changes. */
function undo(before) {
  git('reset', '--quiet', '--keep', before);
  console.error('release: failed; the checkout was restored');
}

function release() {
  const before = git('rev-parse', 'HEAD');
  setVersion(root, version, new Date().toISOString().slice(0, 10));
  git('commit', '--quiet', '--all', '--message', `release: ${version}`);
  try {
    run('lint');
    // The dates in the packages are that of the commit, so that a build of the tag gives the same packages.
    for (const build of builds) run(...build);
    git('tag', '--annotate', tag, '--message', `vkmemd ${version}`);
  } catch (failure) {
    console.error(`release: ${failure.message}`);
    undo(before);
    process.exit(1);
  }
  const commit = git('rev-parse', '--short', 'HEAD');
  console.log(`release: ${tag} is commit ${commit}. Push it and publish the packages yourself.`);
}

printPlan();
const prevented = obstacles();
for (const obstacle of prevented) console.error(`release: prevented: ${obstacle}`);
if (prevented.length > 0) process.exitCode = 1;
else if (execute) release();
else console.log('release: nothing was changed; add --execute to make the release');
