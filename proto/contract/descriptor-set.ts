/**
 * The compiled schemas. The build compiles them (scripts/descriptor-set.mjs), so that no schema is parsed at
 * run time.
 */
import { readFileSync } from 'node:fs';
import { fromJSON, type Options, type PackageDefinition } from '@grpc/proto-loader';
import descriptor from 'protobufjs/ext/descriptor/index.js';

const SET = new URL('../vkmem.binpb', import.meta.url);
const JSON_FILE = new URL('../vkmem.json', import.meta.url);

/** Loads all definitions of the contract, with field names in camelCase. */
export function loadContract(options: Options): PackageDefinition {
  return fromJSON(JSON.parse(readFileSync(JSON_FILE, 'utf8')), options);
}

/**
 * The schemas as encoded google.protobuf.FileDescriptorProtos, with their names and dependencies. A schema
 * follows those that it depends on.
 */
export function descriptorFiles(): Buffer[] {
  const { file } = descriptor.FileDescriptorSet.decode(readFileSync(SET)) as unknown as { file: object[] };
  return file.map((each) => Buffer.from(descriptor.FileDescriptorProto.encode(each).finish()));
}
