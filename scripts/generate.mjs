/**
 * Writes the TypeScript types of the schemas into proto/types. With --check it compares them with the files
 * there, and fails if they differ. The types are committed, so that they can be read and a build needs no
 * generator.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, 'proto', 'types');
const schemas = [
  'vkmem/v1/control.proto',
  'vkmem/v1/handoff.proto',
  'vkmem/internal/front.proto',
  'google/rpc/status.proto',
];

function generate(into) {
  const options = [
    '--enums=String',
    '--defaults',
    '--oneofs',
    '--includeComments',
    '--grpcLib=@grpc/grpc-js',
  ];
  const extensions = ['--targetFileExtension=.ts', '--importFileExtension=.js'];
  execFileSync(
    join(root, 'node_modules', '.bin', 'proto-loader-gen-types'),
    [...options, ...extensions, '-I', 'proto', '-O', into, ...schemas],
    { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
  );
}

const files = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .sort();

const fresh = mkdtempSync(join(tmpdir(), 'vkmemd-types-'));
try {
  generate(fresh);
  if (process.argv.includes('--check')) {
    const have = files(target);
    const want = files(fresh);
    const read = (folder, file) => readFileSync(join(folder, file), 'utf8');
    const stale = [...new Set([...have, ...want])].filter(
      (file) => !have.includes(file) || !want.includes(file) || read(target, file) !== read(fresh, file),
    );
    if (stale.length > 0) {
      console.error(`proto/types does not match the schemas: ${stale.join(', ')}. Run: npm run generate`);
      process.exitCode = 1;
    }
  } else {
    rmSync(target, { recursive: true, force: true });
    cpSync(fresh, target, { recursive: true });
    console.error(`wrote ${files(target).length} files to proto/types`);
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
