/**
 * The version. Its source is the root package.json. The manifests of the workspaces, their dependencies on
 * each other, package-lock.json and the documentation must agree with it. CHANGELOG.md must begin with its
 * entry, or with the entry of the next version, which is unreleased.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DEPENDENCIES = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
const VERSION = /^(\d+)\.(\d+)\.(\d+)$/;
/** Names of files and of packages with a version, as they appear in the documentation. */
const NAMED = /(?<=\bvkmemd_|@vkmemd\/(?:client|proto)@|\bvkmemd@)\d+\.\d+\.\d+/g;

const readJson = (root, file) => JSON.parse(readFileSync(join(root, file), 'utf8'));

/** Replaces the contents of a file by the result of `change`, if that differs. */
function edit(root, file, change) {
  const before = readFileSync(join(root, file), 'utf8');
  const after = change(before);
  if (after !== before) writeFileSync(join(root, file), after);
}

const editJson = (root, file, change) =>
  edit(root, file, (text) => {
    const value = JSON.parse(text);
    change(value);
    return `${JSON.stringify(value, undefined, 2)}\n`;
  });

/** The version of a checkout, from its root manifest. */
export const currentVersion = (root) => readJson(root, 'package.json').version;

/** Negative if `a` is older than `b`, 0 if they are equal. */
export function compareVersions(a, b) {
  const [one, other] = [a, b].map((version) => VERSION.exec(version).slice(1).map(Number));
  return one.map((part, at) => part - other[at]).find((difference) => difference !== 0) ?? 0;
}

/** @param how A version, or the part of `version` to increase: major, minor or patch. */
export function nextVersion(version, how) {
  if (VERSION.test(how)) return how;
  const at = ['major', 'minor', 'patch'].indexOf(how);
  if (at < 0) throw new Error(`'${how}' is neither a version nor major, minor or patch`);
  const parts = VERSION.exec(version).slice(1).map(Number);
  return parts.map((part, index) => (index < at ? part : index === at ? part + 1 : 0)).join('.');
}

/** The first entry of CHANGELOG.md: its `version`, whether it is `unreleased`, and its `lines`. */
export function changelogEntry(root) {
  const [, first = ''] = readFileSync(join(root, 'CHANGELOG.md'), 'utf8').split(/^## /m);
  const [title, ...lines] = first.trimEnd().split('\n');
  const [version = '', state = ''] = title.split(', ');
  return { version, unreleased: state === 'unreleased', lines: lines.filter(Boolean) };
}

/** The manifests of the workspaces, by path. */
function workspaces(root) {
  const folders = readJson(root, 'package.json').workspaces;
  return new Map(folders.map((folder) => [folder, readJson(root, join(folder, 'package.json'))]));
}

/** The files of the documentation that may contain a version. */
function documents(root) {
  const pages = readdirSync(join(root, 'docs'), { recursive: true }).map((page) => join('docs', page));
  return ['README.md', ...pages.filter((page) => page.endsWith('.md')).sort()];
}

/** The places with a wrong version, one a line. */
export function versionFaults(root) {
  const version = currentVersion(root);
  const faults = [];
  const expect = (where, found, wanted = version) => {
    if (found !== wanted) faults.push(`${where}: ${found}, expected ${wanted}`);
  };
  if (!VERSION.test(version)) faults.push(`package.json: ${version} is not a version of three numbers`);
  const lock = readJson(root, 'package-lock.json');
  expect('package-lock.json', lock.version);
  expect('package-lock.json: the root', lock.packages[''].version);
  const manifests = workspaces(root);
  const ours = new Set([...manifests.values()].map(({ name }) => name));
  for (const [folder, manifest] of manifests) {
    for (const [where, entry] of [
      [`${folder}/package.json`, manifest],
      [`package-lock.json: ${folder}`, lock.packages[folder]],
    ]) {
      expect(where, entry.version);
      for (const [name, range] of DEPENDENCIES.flatMap((kind) => Object.entries(entry[kind] ?? {}))) {
        if (ours.has(name)) expect(`${where}: ${name}`, range);
      }
    }
  }
  for (const file of documents(root)) {
    for (const [named] of readFileSync(join(root, file), 'utf8').matchAll(NAMED)) expect(file, named);
  }
  const entry = changelogEntry(root);
  const next = entry.unreleased && VERSION.test(entry.version) && compareVersions(entry.version, version) > 0;
  if (!next) expect('CHANGELOG.md: the first entry', entry.version);
  return faults;
}

/** Sets the version everywhere, and the date of its entry in CHANGELOG.md. @param date as 2026-01-31. */
export function setVersion(root, version, date) {
  const manifests = workspaces(root);
  const ours = new Set([...manifests.values()].map(({ name }) => name));
  const set = (entry) => {
    entry.version = version;
    for (const kind of DEPENDENCIES) {
      for (const name of Object.keys(entry[kind] ?? {})) if (ours.has(name)) entry[kind][name] = version;
    }
  };
  editJson(root, 'package.json', set);
  for (const folder of manifests.keys()) editJson(root, join(folder, 'package.json'), set);
  editJson(root, 'package-lock.json', (lock) => {
    lock.version = version;
    for (const folder of ['', ...manifests.keys()]) set(lock.packages[folder]);
  });
  for (const file of documents(root)) edit(root, file, (text) => text.replace(NAMED, version));
  edit(root, 'CHANGELOG.md', (text) =>
    text.replace(`## ${version}, unreleased\n`, `## ${version}, ${date}\n`),
  );
}
