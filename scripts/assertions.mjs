/**
 * Compares the assertions of the tests of two trees, to show that a change dropped none:
 *
 *   node scripts/assertions.mjs BASE [COMMIT]       COMMIT's default: the working tree
 *
 * An assertion is a call of a method of tap's (`t.equal(...)`) or of node:assert. Two are the same where
 * method and arguments are, apart from white space, texts and regular expressions; one that moved to another
 * file is the same. Prints counts by file where they differ, then what was dropped and added. Exit code 1: an
 * assertion was dropped.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from './command.mjs';

/** tap's, with the subtests; then those of node:assert that tap does not have. */
const METHODS = new Set([
  ...['ok', 'notOk', 'equal', 'not', 'same', 'notSame', 'strictSame', 'notStrictSame', 'match', 'notMatch'],
  ...[
    'matchOnly',
    'matchStrict',
    'has',
    'notHas',
    'hasStrict',
    'hasProp',
    'hasProps',
    'type',
    'error',
    'throws',
  ],
  ...[
    'doesNotThrow',
    'rejects',
    'resolves',
    'resolveMatch',
    'emits',
    'pass',
    'fail',
    'skip',
    'test',
    'matchSnapshot',
  ],
  ...[
    'strictEqual',
    'notStrictEqual',
    'notEqual',
    'deepEqual',
    'deepStrictEqual',
    'notDeepStrictEqual',
    'assert',
  ],
]);
const RECEIVERS = /^(t|tt|tap|test|assert)$/;

const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
const isTest = (path) => /^test\/.*\.ts$/.test(path);

/** Path -> text, of a commit or of the working tree. */
function sourcesOf(commit) {
  const listed = commit
    ? git('ls-tree', '-r', '--name-only', commit, 'test')
    : git('ls-files', '-co', '--exclude-standard', 'test');
  const read = (path) => (commit ? git('show', `${commit}:${path}`) : readFileSync(join(root, path), 'utf8'));
  const deleted = new Set(commit ? [] : git('ls-files', '-d', 'test').split('\n'));
  const paths = listed.split('\n').filter((path) => isTest(path) && !deleted.has(path));
  return paths.map((path) => [path, read(path)]);
}

/** The functions that a file imports of node:assert, by their local names. */
function importedAssertions(file) {
  return new Set(
    file.statements
      .filter((each) => ts.isImportDeclaration(each) && /^node:assert/.test(each.moduleSpecifier.text))
      .flatMap((each) => {
        const named = each.importClause?.namedBindings;
        const names = named && ts.isNamedImports(named) ? named.elements.map(({ name }) => name.text) : [];
        return each.importClause?.name ? [...names, each.importClause.name.text] : names;
      }),
  );
}

/** The code of a node, without white space and with all texts alike: messages may change. */
function codeOf(node, file) {
  const start = node.getStart(file);
  const patterns = [];
  const visit = (inner) => {
    if (ts.isRegularExpressionLiteral(inner))
      patterns.push([inner.getStart(file) - start, inner.getEnd() - start]);
    ts.forEachChild(inner, visit);
  };
  visit(node);
  return patterns
    .reverse()
    .reduce((text, [from, to]) => `${text.slice(0, from)}''${text.slice(to)}`, node.getText(file))
    .replace(/\/\*.*?\*\/|\/\/.*$/gms, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/gs, "''")
    .replace(/\s|,(?=\s*[)\]}])/g, '')
    .slice(0, 200);
}

/** The assertions of one file, each as text. */
function assertionsOf(path, text) {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imported = importedAssertions(file);
  const found = [];
  const visit = (node) => {
    if (ts.isCallExpression(node)) {
      const name = methodOf(node.expression, file, imported);
      // The body of a subtest has assertions of its own.
      const args = name === 'test' ? [] : node.arguments.filter((argument) => !isMessage(argument));
      if (name) found.push(`${name}(${args.map((argument) => codeOf(argument, file)).join(', ')})`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function methodOf(called, file, imported) {
  if (ts.isIdentifier(called)) return imported.has(called.text) ? called.text : undefined;
  if (!ts.isPropertyAccessExpression(called)) return undefined;
  const method = called.name.text;
  return METHODS.has(method) && RECEIVERS.test(called.expression.getText(file)) ? method : undefined;
}

const isMessage = (node) => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);

function treeOf(commit) {
  return new Map(sourcesOf(commit).map(([path, text]) => [path, assertionsOf(path, text)]));
}

/** The texts of `one` that `other` lacks, as often as it lacks them. */
function without(one, other) {
  const left = new Map();
  for (const { text } of other) left.set(text, (left.get(text) ?? 0) + 1);
  return one.filter(({ text }) => {
    const count = left.get(text) ?? 0;
    if (count > 0) left.set(text, count - 1);
    return count === 0;
  });
}

/** What `one` has and `other` lacks: in the same file, then in any other. */
function lacking(one, other) {
  const entries = (tree, path) => (tree.get(path) ?? []).map((text) => ({ path, text }));
  const remaining = (tree, than) =>
    [...tree.keys()].flatMap((path) => without(entries(tree, path), entries(than, path)));
  return without(remaining(one, other), remaining(other, one)).map(({ path, text }) => `${path}: ${text}`);
}

const [base, commit] = process.argv.slice(2);
if (!base) throw new Error('node scripts/assertions.mjs BASE [COMMIT]');
const [before, after] = [treeOf(base), treeOf(commit)];
const countOf = (tree, path) => tree.get(path)?.length ?? 0;
for (const path of [...new Set([...before.keys(), ...after.keys()])].sort()) {
  const [was, is] = [countOf(before, path), countOf(after, path)];
  if (was !== is) console.log(`${path}: ${was} -> ${is}`);
}
const [dropped, added] = [lacking(before, after), lacking(after, before)];
for (const text of dropped) console.log(`- ${text}`);
for (const text of added) console.log(`+ ${text}`);
const total = (tree) => [...tree.values()].flat().length;
console.log(
  `${total(before)} -> ${total(after)} assertions, ${dropped.length} dropped, ${added.length} added`,
);
process.exitCode = dropped.length > 0 ? 1 : 0;
