/**
 * Compiles the schemas, so that no program parses them, into
 *
 *   proto/dist/vkmem.binpb  a google.protobuf.FileDescriptorSet with the schemas that they import, which reflection serves
 *   proto/dist/vkmem.json   the same as protobufjs has it, which the codec loads: protobufjs does not restore maps from a
 *                           descriptor set
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './command.mjs';
import { digest, once, sources } from './inputs.mjs';

const SET = 'proto/dist/vkmem.binpb';
const JSON_FILE = 'proto/dist/vkmem.json';
/** The messages between the daemon's processes, which reflection does not show. */
const INTERNAL = 'vkmem/internal/front.proto';
const SCHEMAS = ['vkmem/v1/control.proto', 'vkmem/v1/handoff.proto', INTERNAL, 'google/rpc/status.proto'];

export async function compileSchemas() {
  const inputs = digest([...sources(['proto'], /\.proto$/), 'proto/buf.yaml', 'package-lock.json'], 'v2');
  await once('.setup/schemas', inputs, JSON_FILE, async () => {
    mkdirSync(join(root, 'proto/dist'), { recursive: true });
    const args = ['build', '--as-file-descriptor-set', '--exclude-source-info', '--exclude-path', INTERNAL];
    args.push('-o', join(root, SET));
    const cwd = join(root, 'proto');
    await run('compiling the schemas', join(root, 'node_modules/.bin/buf'), args, { cwd });
    // Installed by now.
    const { default: protobuf } = await import('protobufjs');
    const all = new protobuf.Root();
    // Imports are relative to proto/; those of google/protobuf are protobufjs's own.
    all.resolvePath = (_origin, target) => (protobuf.common.get(target) ? target : join(cwd, target));
    all.loadSync(SCHEMAS).resolveAll();
    writeFileSync(join(root, JSON_FILE), JSON.stringify(all.toJSON()));
  });
}
