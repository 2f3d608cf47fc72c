/** Vulkan's results as codes of the catalogue. */
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { native, translate } from 'vkmemd/dist/vulkan/errors.js';

/** A rejection in the form of the addon. */
function failure(call: string, vkResult: string, detail = ''): Error {
  return Object.assign(new Error(`${call}: ${vkResult}`), { call, vkResult, detail });
}

t.test('each result has its code, and the reason includes call and result', async (t) => {
  const codes = {
    VK_ERROR_OUT_OF_DEVICE_MEMORY: 'DEVICE_OUT_OF_MEMORY',
    VK_ERROR_OUT_OF_HOST_MEMORY: 'DEVICE_OUT_OF_MEMORY',
    VK_ERROR_TOO_MANY_OBJECTS: 'TOO_MANY_ALLOCATIONS',
    VK_ERROR_DEVICE_LOST: 'DEVICE_LOST',
    VK_ERROR_INVALID_EXTERNAL_HANDLE: 'KIND_UNSUPPORTED',
    VK_ERROR_INCOMPATIBLE_DRIVER: 'UNAVAILABLE',
    VK_ERROR_INITIALIZATION_FAILED: 'UNAVAILABLE',
    LOADER_MISSING: 'UNAVAILABLE',
    VK_ERROR_UNKNOWN: 'INTERNAL',
    'VkResult(-1000999000)': 'INTERNAL',
  };
  for (const [vkResult, code] of Object.entries(codes)) {
    const error = translate(failure('vkAllocateMemory', vkResult));
    if (!(error instanceof VkmemError)) throw error;
    t.equal(error.code, code, vkResult);
    t.match(error.reason, `vkAllocateMemory: ${vkResult}.`);
    t.same(error.metadata, { call: 'vkAllocateMemory', vkResult });
  }
});

t.test('without the loader the error names the package to install', async (t) => {
  await t.rejects(native(Promise.reject(failure('dlopen', 'LOADER_MISSING', 'no such file'))), {
    code: 'UNAVAILABLE',
    reason: /libvulkan1 .*dlopen: LOADER_MISSING \(no such file\)/,
  });
});

t.test('errors of other origin pass unchanged', async (t) => {
  const fault = new TypeError('size must be a bigint');
  t.equal(translate(fault), fault);
  t.equal(translate('text'), 'text');
});
