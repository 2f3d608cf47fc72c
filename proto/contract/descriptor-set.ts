/**
 * The compiled schemas. The build compiles them (scripts/descriptor-set.mjs), so that no schema is parsed at
 * run time.
 */
import { readFileSync } from 'node:fs';

const SET = new URL('../vkmem.binpb', import.meta.url);
const JSON_FILE = new URL('../vkmem.json', import.meta.url);

/** All schemas as protobufjs has them, with field names in camelCase. */
export const compiledSchemas = () => JSON.parse(readFileSync(JSON_FILE, 'utf8'));

/**
 * Reads the schemas. The result decodes them: encoded google.protobuf.FileDescriptorProtos, with their names
 * and dependencies. A schema follows those that it depends on.
 */
export async function readDescriptorFiles(): Promise<() => Buffer[]> {
  const bytes = readFileSync(SET);
  // Few programs need it, and it takes long to load.
  const { default: descriptor } = await import('protobufjs/ext/descriptor/index.js');
  return () => {
    const { file } = descriptor.FileDescriptorSet.decode(bytes) as unknown as { file: object[] };
    return file.map((each) => Buffer.from(descriptor.FileDescriptorProto.encode(each).finish()));
  };
}
