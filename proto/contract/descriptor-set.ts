/**
 * The schemas as they are compiled when the project is built (scripts/descriptor-set.mjs): no schema is parsed
 * at run time.
 */
import { readFileSync } from 'node:fs';
import { fromJSON, type Options, type PackageDefinition } from '@grpc/proto-loader';
import descriptor from 'protobufjs/ext/descriptor/index.js';

const SET = new URL('../vkmem.binpb', import.meta.url);
const JSON_FILE = new URL('../vkmem.json', import.meta.url);

/** Every definition of the contract, with fields in camelCase. */
export function loadContract(options: Options): PackageDefinition {
  return fromJSON(JSON.parse(readFileSync(JSON_FILE, 'utf8')), options);
}

/**
 * Each schema as an encoded google.protobuf.FileDescriptorProto, with its own name and its dependencies, those
 * that it depends on first.
 */
export function descriptorFiles(): Buffer[] {
  const { file } = descriptor.FileDescriptorSet.decode(readFileSync(SET)) as unknown as { file: object[] };
  return file.map((each) => Buffer.from(descriptor.FileDescriptorProto.encode(each).finish()));
}
