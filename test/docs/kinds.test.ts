/**
 * docs/kinds.md against the code: every kind and every term is described, and the example for Vulkan
 * compiles.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CATALOGUE, KIND_NAMES } from '@vkmemd/proto';
import t from 'tap';
import { root, temporaryFolder } from '../support/daemon.js';

const page = readFileSync(join(root, 'docs/kinds.md'), 'utf8');

t.test('every kind has a section; every rung and every missing feature is described', async (t) => {
  for (const kind of KIND_NAMES) t.match(page, new RegExp(`^## ${kind}$`, 'm'));
  for (const rung of ['VERIFIED', 'SUPPORTED', 'UNSUPPORTED'])
    t.match(page, new RegExp(`^\\| \`${rung}\``, 'm'));
  for (const missing of ['extension', 'feature', 'type', 'export', 'works']) t.match(page, `\`${missing}\``);
});

t.test('every code that the page names is in the catalogue', async (t) => {
  const words = new Set(page.match(/`[A-Z]+(?:_[A-Z]+)+`/g)?.map((word) => word.slice(1, -1)));
  const vulkan =
    /^(VK_|DEVICE_(LOCAL|TYPE)|MAP_|DMA_BUF|F_SEAL|FALLOC_|HOST_|DEDICATED_ONLY|RDMA_|RLIMIT_|OPAQUE_FD|SHRINK)/;
  const codes = [...words].filter((word) => !vulkan.test(word));
  t.ok(codes.length >= 6, codes.join(' '));
  for (const code of codes) t.ok(code in CATALOGUE, code);
});

t.test('the example of a Vulkan importer compiles', async (t) => {
  const example = /^Vulkan, with[^\n]*\n\n```c\n([\s\S]*?)```/m.exec(page)?.[1];
  if (!example) throw new Error('the page has no example');
  const source = `#include <vulkan/vulkan.h>
typedef struct { VkBool32 dedicated; VkDeviceSize allocation_size_bytes; uint32_t memory_type_index; } Grant;
VkResult import_grant(VkDevice device, Grant g, VkImage image, VkBuffer buffer, int fd);
VkResult import_grant(VkDevice device, Grant g, VkImage image, VkBuffer buffer, int fd) {
${example}
return result;
}
`;
  const file = join(temporaryFolder(t), 'example.c');
  writeFileSync(file, source);
  const { status, stderr } = spawnSync('gcc', [
    '-std=c11',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-fsyntax-only',
    file,
  ]);
  t.equal(status, 0, String(stderr));
});

t.test('the example of an importer by CUDA compiles', async (t) => {
  const example = /^### CUDA\n\n[^\n]*\n\n```c\n([\s\S]*?)```/m.exec(page)?.[1];
  if (!example) throw new Error('the page has no example');
  const called = [...new Set(example.match(/\bcu[A-Z]\w+(?=\()/g))];
  t.equal(called.length, 4);
  const source = `#include "${join(root, 'examples/cuda/driver.h')}"
enum { CUDA_SUCCESS = 0 };
${called.map((name) => `#define ${name} cuda.${name}`).join('\n')}
typedef struct { size_t allocation_size_bytes; } Grant;
CUresult import_grant(CUdevice device, Grant g, int fd);
CUresult import_grant(CUdevice device, Grant g, int fd) {
${example}
return result;
}
`;
  const file = join(temporaryFolder(t), 'example.c');
  writeFileSync(file, source);
  const flags = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-fsyntax-only'];
  const { status, stderr } = spawnSync('gcc', [...flags, file], { encoding: 'utf8' });
  t.equal(status, 0, stderr);
});
