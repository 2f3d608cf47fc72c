/**
 * Reflection serves the schemas by their own names, with their dependencies, so that other implementations of protobuf
 * accept them.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { readDescriptorFiles } from '@vkmemd/proto';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import t from 'tap';
import { root, startDaemon } from '../support/daemon.js';

const FILES = [
  'vkmem/v1/control.proto',
  'vkmem/v1/handoff.proto',
  'vkmem/v1/memory.proto',
  'google/rpc/status.proto',
];

const descriptorFiles = await readDescriptorFiles();

interface FileProto {
  readonly name: string;
  readonly dependency: readonly string[];
}
const decode = (bytes: Uint8Array) => descriptor.FileDescriptorProto.decode(bytes) as unknown as FileProto;

/** Adds each file to a pool, dependencies first, as protobuf's Python and C++ pools require. */
const POOL = `
import sys
from google.protobuf import descriptor_pb2, descriptor_pool
pool = descriptor_pool.DescriptorPool()
for line in sys.stdin:
    pool.AddSerializedFile(bytes.fromhex(line.strip()))
for name in sys.argv[1:]:
    pool.FindFileByName(name)
service = pool.FindServiceByName('vkmem.v1.MemoryService')
print(service.methods_by_name['Allocate'].input_type.fields_by_name['size_bytes'].name)
`;

t.test('each file is served once, after its dependencies', async (t) => {
  const seen = new Set<string>();
  for (const { name, dependency } of descriptorFiles().map(decode)) {
    t.notOk(seen.has(name), name);
    for (const each of dependency) t.ok(seen.has(each), `${name} follows ${each}`);
    seen.add(name);
  }
  for (const name of FILES) t.ok(seen.has(name), name);
});

t.test('the files have the names and dependencies of the schemas', async (t) => {
  for (const { name, dependency } of descriptorFiles()
    .map(decode)
    .filter((file) => FILES.includes(file.name))) {
    const text = readFileSync(join(root, 'proto', name), 'utf8');
    const imports = [...text.matchAll(/^import "(.*)";$/gm)].map(([, file]) => file);
    t.strictSame([...dependency].sort(), imports.sort(), name);
  }
});

const { pythonWithProtobuf } = await import(join(root, 'scripts/python.mjs'));
const python: string | undefined = pythonWithProtobuf();
const noProtobuf = python ? false : 'no python3 has google.protobuf';

/** The answer of reflection to one request. */
async function reflect(runtimeDir: string, request: object): Promise<Record<string, never>> {
  const schema = join(root, 'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto');
  const loaded = loadPackageDefinition(loadSync(schema)) as unknown as {
    grpc: { reflection: { v1: { ServerReflection: ServiceClientConstructor } } };
  };
  const client = new loaded.grpc.reflection.v1.ServerReflection(
    `unix:${join(runtimeDir, 'control.sock')}`,
    credentials.createInsecure(),
  );
  try {
    const call = client.ServerReflectionInfo?.();
    return await new Promise((resolve, reject) => {
      call.once('data', resolve);
      call.once('error', reject);
      call.write(request);
      call.end();
    });
  } finally {
    client.close();
  }
}

t.test('a running daemon serves every file and its dependencies', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const list = (await reflect(runtimeDir, { listServices: '*' })) as unknown as {
    listServicesResponse: { service: { name: string }[] };
  };
  const services = list.listServicesResponse.service.map(({ name }) => name);
  t.ok(services.includes('vkmem.v1.MemoryService'), services.join(', '));
  const answer = (await reflect(runtimeDir, {
    fileContainingSymbol: 'vkmem.v1.MemoryService',
  })) as unknown as {
    fileDescriptorResponse: { fileDescriptorProto: Uint8Array[] };
  };
  const files = answer.fileDescriptorResponse.fileDescriptorProto.map(decode);
  const names = files.map(({ name }) => name);
  t.ok(names.includes('vkmem/v1/control.proto'), names.join(', '));
  for (const { name, dependency } of files) {
    for (const each of dependency) {
      if (names.includes(each)) continue;
      const single = (await reflect(runtimeDir, { fileByFilename: each })) as unknown as typeof answer;
      t.ok(single.fileDescriptorResponse, `${name} needs ${each}, which is served`);
    }
  }
});

t.test('protobuf for Python accepts the files', { skip: noProtobuf }, async (t) => {
  const input = descriptorFiles()
    .map((bytes) => bytes.toString('hex'))
    .join('\n');
  const { stdout, stderr } = spawnSync(python ?? '', ['-c', POOL, ...FILES], { input, encoding: 'utf8' });
  t.equal(stdout, 'size_bytes\n', stderr);
});

t.test('protobufjs accepts the files', async (t) => {
  const { fromDescriptor } = protobuf.Root as unknown as { fromDescriptor(set: object): protobuf.Root };
  const pool = fromDescriptor({
    file: descriptorFiles().map((bytes) => descriptor.FileDescriptorProto.decode(bytes)),
  });
  t.ok(pool.lookupService('vkmem.v1.MemoryService').methods.Allocate);
});
