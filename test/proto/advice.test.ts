/**
 * The next step of each error fits its failure: the catalogue's own step says nothing beside the code, and a place in
 * the program that throws for another reason than the catalogue has in mind passes a step of its own.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asVkmemError, CATALOGUE } from '@vkmemd/proto';
import t from 'tap';
import ts from 'typescript';
import { root } from '../support/daemon.js';

/** The codes whose step is about the caller's fields or rights, and not about a system call. */
const ABOUT_FIELDS: ReadonlySet<string> = new Set(['INVALID_ARGUMENT', 'INVALID_HANDLE', 'NOT_PERMITTED']);
/** A kind of failure, by the words of its reason, that the step of the catalogue does not fit. */
const OTHER: readonly [string, RegExp, string][] = [
  ['INVALID_HANDLE', /pidfd/, 'a pidfd is not imported memory'],
  ['UNAVAILABLE', /which is the limit|limit of .* is reached/, 'the daemon runs: the caller has to wait'],
  ['UNAVAILABLE', /client was closed/, 'the daemon is not the reason'],
];

interface Thrown {
  readonly where: string;
  readonly code: string;
  /** The texts of the reason, as they stand in the source. */
  readonly reason: string;
  readonly metadata: string;
  readonly hasNext: boolean;
}

function thrownIn(file: string): Thrown[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(join(root, file), 'utf8'),
    ts.ScriptTarget.ESNext,
    true,
  );
  const found: Thrown[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isNewExpression(node) && node.expression.getText() === 'VkmemError') {
      const [code, reason, metadata] = node.arguments ?? [];
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      found.push({
        where: `${file}:${line + 1}`,
        code: code && ts.isStringLiteral(code) ? code.text : '',
        reason: reason?.getText() ?? '',
        metadata: metadata?.getText() ?? '',
        hasNext: (node.arguments?.length ?? 0) >= 5,
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const sources = execFileSync('git', ['ls-files', 'daemon', 'proto', 'client'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'));
const thrown = sources.flatMap(thrownIn);

t.test('the steps of the catalogue', async (t) => {
  for (const [code, { sentence, next }] of Object.entries(CATALOGUE)) {
    t.notMatch(sentence, /restarted/, `${code}: only the reason knows that`);
    if (code !== 'INVALID_ARGUMENT') t.notMatch(next, /--help/, code);
    if (code !== 'INVALID_HANDLE') t.notMatch(next, /Import the fd/, code);
    t.notMatch(next, /restarted/, code);
  }
});

t.test('places that throw', async (t) => {
  t.ok(thrown.length > 300, `${thrown.length} places`);
  for (const { where, code, reason, metadata, hasNext } of thrown) {
    if (code !== '') t.ok(code in CATALOGUE, `${where}: ${code}`);
    if (hasNext) continue;
    const call = /\berrno\b/.test(metadata) && ABOUT_FIELDS.has(code);
    t.notOk(call, `${where}: ${code} of a failed system call needs a step of its own`);
    for (const [of, words, why] of OTHER)
      t.notOk(code === of && words.test(reason), `${where}: ${code} needs a step of its own: ${why}`);
  }
});

t.test('a system call that fails in the daemon', async (t) => {
  for (const [errno, step] of [
    ['EPERM', /The operator: .*seccomp/],
    ['ENOMEM', /The operator: Free memory/],
    ['EIO', /The operator: .*log of the daemon/],
  ] as const) {
    const cause = Object.assign(new Error(`memfd_create: ${errno}`), {
      code: errno,
      syscall: 'memfd_create',
    });
    const { code, reason, next, metadata } = asVkmemError(cause);
    t.match(
      { code, reason, next },
      { code: 'INTERNAL', reason: new RegExp(`memfd_create: ${errno}`), next: step },
    );
    t.match(metadata, { errno, syscall: 'memfd_create', whose: 'daemon' });
    t.notMatch(next, /had no effect|--help/);
  }
});
