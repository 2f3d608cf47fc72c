/**
 * The schemas, compiled when the project is built (scripts/descriptor-set.mjs) into one file: a google.protobuf.FileDescriptorSet
 * with each file's name and dependencies. No schema is parsed at run time.
 */
import { readFileSync } from 'node:fs';
import { loadFileDescriptorSetFromObject, type Options, type PackageDefinition } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';

const FILE = new URL('../vkmem.binpb', import.meta.url);

/** As protobufjs represents google.protobuf.DescriptorProto. */
interface MessageDescriptor {
  readonly field: { name: string; jsonName: string }[];
  readonly oneofDecl: { name: string }[];
  readonly nestedType: readonly MessageDescriptor[];
}
interface FileSet {
  readonly file: readonly { readonly messageType: readonly MessageDescriptor[] }[];
}

const decoded = (): FileSet => descriptor.FileDescriptorSet.decode(readFileSync(FILE)) as unknown as FileSet;

/** Each schema as an encoded google.protobuf.FileDescriptorProto, those that it depends on first. */
export function descriptorFiles(): Buffer[] {
  return decoded().file.map((file) => Buffer.from(descriptor.FileDescriptorProto.encode(file).finish()));
}

/** Names as the types have them: of a descriptor set proto-loader keeps those of the schemas. */
function useJsonNames({ field, oneofDecl, nestedType }: MessageDescriptor): void {
  for (const each of field) each.name = each.jsonName;
  for (const each of oneofDecl) each.name = protobuf.util.camelCase(each.name);
  for (const each of nestedType) useJsonNames(each);
}

/** Every definition of the contract, with fields in camelCase. */
export function loadContract(options: Options): PackageDefinition {
  const set = decoded();
  for (const { messageType } of set.file) for (const message of messageType) useJsonNames(message);
  return loadFileDescriptorSetFromObject(set, options);
}
