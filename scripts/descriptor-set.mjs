/**
 * Compiles the schemas into proto/dist/vkmem.binpb, a google.protobuf.FileDescriptorSet with the schemas that they import.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './command.mjs';
import { digest, once, sources } from './inputs.mjs';

const RESULT = 'proto/dist/vkmem.binpb';

export async function compileSchemas() {
  const inputs = digest([...sources(['proto'], /\.proto$/), 'proto/buf.yaml', 'package-lock.json']);
  await once('.setup/schemas', inputs, RESULT, () => {
    mkdirSync(join(root, 'proto/dist'), { recursive: true });
    const args = ['build', '--as-file-descriptor-set', '--exclude-source-info', '-o', join(root, RESULT)];
    return run('compiling the schemas', join(root, 'node_modules/.bin/buf'), args, {
      cwd: join(root, 'proto'),
    });
  });
}
