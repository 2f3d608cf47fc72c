/**
 * The addon exports exactly the names that proto/kernel/native.ts declares: the compiler does not check that,
 * and a name that only one side changed reads as undefined.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../../..', import.meta.url));

t.test('the addon exports what native.ts declares', async (t) => {
  const source = readFileSync(join(root, 'proto/kernel/native.ts'), 'utf8');
  const [, body = ''] = /^export interface Native \{$(.*?)^\}$/ms.exec(source) ?? [];
  const declared = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)].map(([, name]) => name);
  const addon = createRequire(import.meta.url)(join(root, 'proto/native/build/Release/vkmem_proto.node'));
  t.ok(declared.length > 30, `${declared.length} names are declared`);
  t.strictSame(Object.keys(addon).sort(), declared.sort());
});
