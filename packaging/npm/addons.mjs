/**
 * The addons of the npm packages, and the launcher, for each platform: linux-ARCH-LIBC, where LIBC is glibc or musl.
 *
 * Cross-built by zig, which brings the headers of each C library and links its own C++ library statically. So an addon depends
 * on the C library alone: glibc 2.28 or newer, as Node.js 20 does, or musl. Without that they are the addons of the
 * checkout, for the platform of the checkout, which is quick; they need the system libraries that they were built with.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EX_UNAVAILABLE, fail, root, run } from '../../scripts/command.mjs';
import { digest, nodeHeaders, once, sources } from '../../scripts/inputs.mjs';

/** Platform -> zig's target. */
const TARGETS = {
  'linux-x64-glibc': 'x86_64-linux-gnu.2.28',
  'linux-arm64-glibc': 'aarch64-linux-gnu.2.28',
  'linux-x64-musl': 'x86_64-linux-musl',
  'linux-arm64-musl': 'aarch64-linux-musl',
};
export const PLATFORMS = Object.keys(TARGETS);
const ZIG_VERSION = '0.17.1';
const ZIG = join(root, '.setup/zig');
const MODULES = join(root, 'node_modules');
const BUILT = '.setup/prebuilds';

/**
 * Name -> its folder with binding.gyp, and the platforms that it is built for. The launcher and vkmemd-cuda-export are programs in C.
 * unix-dgram is built for one version of Node.js, vkmemd's own, which exists for glibc only.
 */
export const ADDONS = {
  vkmem_proto: { folder: 'proto/native', platforms: PLATFORMS },
  vkmemd_front_launcher: { folder: 'proto/native', program: true, platforms: PLATFORMS },
  vkmem_vulkan: { folder: 'daemon/vulkan/native', platforms: PLATFORMS },
  'vkmemd-cuda-export': { folder: 'daemon/vulkan/native', program: true, platforms: PLATFORMS },
  unix_dgram: {
    folder: 'node_modules/unix-dgram',
    sources: ['src/unix_dgram.cc'],
    platforms: PLATFORMS.filter((platform) => platform.endsWith('glibc')),
  },
};

export const hostPlatform = `linux-${process.arch}-${process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl'}`;

/** The name of its file. */
const fileOf = (name) => (ADDONS[name].program ? name : `${name}.node`);

/** The zig of PyPI's ziglang, below .setup. */
async function installZig() {
  await once('.setup/zig/.inputs', ZIG_VERSION, '.setup/zig/ziglang/zig', () => {
    const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--disable-pip-version-check'];
    const failed = () => fail(`pip could not install ziglang ${ZIG_VERSION}`, EX_UNAVAILABLE);
    return run('installing zig', 'python3', [...args, '--target', ZIG, `ziglang==${ZIG_VERSION}`], {
      failed,
    });
  });
}

/** The Vulkan headers alone: other headers of the system belong to its own C library. */
function vulkanHeaders() {
  const folder = join(root, '.setup/vulkan-headers');
  mkdirSync(folder, { recursive: true });
  for (const name of ['vulkan', 'vk_video']) {
    const from = join('/usr/include', name);
    if (!existsSync(from)) fail(`there is no ${from}: install libvulkan-dev`, EX_UNAVAILABLE);
    if (!existsSync(join(folder, name))) symlinkSync(from, join(folder, name));
  }
  return folder;
}

/** A target of a binding.gyp, which is a Python literal. */
function targetOf(folder, name) {
  const program = 'import ast, json, sys; print(json.dumps(ast.literal_eval(open(sys.argv[1]).read())))';
  const args = ['-c', program, join(root, folder, 'binding.gyp')];
  const { targets } = JSON.parse(execFileSync('python3', args, { encoding: 'utf8' }));
  return targets.find((target) => target.target_name === name);
}

/** The arguments of zig for an addon. */
function addonArguments(name, target) {
  const headers = [
    join(nodeHeaders(), 'include/node'),
    join(MODULES, 'node-addon-api'),
    join(MODULES, 'nan'),
    vulkanHeaders(),
  ];
  const cflags = (target.cflags_cc ?? []).filter((flag) => !flag.startsWith('-isystem'));
  const flags = [
    ...['-shared', '-fPIC', '-pthread', '-fno-rtti'],
    ...['-fno-exceptions', '-std=c++20', ...cflags, '-Wno-everything'],
    ...[`-DNODE_GYP_MODULE_NAME=${name}`, '-DBUILDING_NODE_EXTENSION'],
    ...headers.flatMap((header) => ['-isystem', header]),
  ];
  return ['c++', ...flags, ...(target.ldflags ?? []), ...(target.libraries ?? [])];
}

async function build(name, platform) {
  const { folder, program, ...own } = ADDONS[name];
  const target = own.sources ? own : targetOf(folder, name);
  const made = join(BUILT, platform, fileOf(name));
  mkdirSync(dirname(join(root, made)), { recursive: true });
  const language = program
    ? ['cc', '-fPIE', '-pie', ...target.cflags_c, ...(target.libraries ?? [])]
    : addonArguments(name, target);
  const defines = (target.defines ?? []).map((define) => `-D${define}`);
  const common = ['-target', TARGETS[platform], '-O2', '-s', ...defines];
  const args = [...language, ...common, ...target.sources, '-o', join(root, made)];
  await run(`building ${name} for ${platform}`, join(ZIG, 'ziglang/zig'), args, { cwd: join(root, folder) });
}

/** Builds all addons for these platforms, each once for the same sources. */
export async function buildAddons(platforms) {
  await installZig();
  for (const [name, { folder, platforms: possible }] of Object.entries(ADDONS)) {
    for (const platform of platforms.filter((each) => possible.includes(each))) {
      const made = join(BUILT, platform, fileOf(name));
      const files = folder.startsWith('node_modules')
        ? ['package-lock.json', 'daemon/runtime/package-lock.json']
        : sources([folder], /\.(c|cc|h|gyp)$/);
      const inputs = digest(files, 'v2', ZIG_VERSION, TARGETS[platform]);
      await once(`${made}.inputs`, inputs, made, () => build(name, platform));
    }
  }
}

/** The path of each addon in the checkout -> that of the one that is built for a platform. */
export const addonFiles = (platform) =>
  new Map(
    Object.entries(ADDONS).map(([name, { folder }]) => [
      `${folder}/build/Release/${fileOf(name)}`,
      join(BUILT, platform, fileOf(name)),
    ]),
  );

/** Copies the addons of the checkout to where cross-built ones would be. */
function copyHost() {
  for (const [name, { folder, platforms }] of Object.entries(ADDONS)) {
    if (!platforms.includes(hostPlatform)) continue;
    const file = join(root, folder, 'build/Release', fileOf(name));
    const to = join(root, BUILT, 'host', hostPlatform, fileOf(name));
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(file, to);
    execFileSync('strip', ['--strip-unneeded', to]);
  }
}

/**
 * The addons. @param all Built for all platforms; otherwise those of the checkout.
 * @returns a map: platform -> the path of an addon, by its name.
 */
export async function addons(all) {
  if (all) await buildAddons(PLATFORMS);
  else copyHost();
  const folder = join(root, BUILT, all ? '' : 'host');
  const platforms = all ? PLATFORMS : [hostPlatform];
  const filesOf = (platform) => {
    const built = Object.keys(ADDONS).map((name) => [name, join(folder, platform, fileOf(name))]);
    return new Map(built.filter(([, file]) => existsSync(file)));
  };
  return new Map(platforms.map((platform) => [platform, filesOf(platform)]));
}
