/**
 * The guest of the tests of virtual machines and of `npm run demo:vm`: Debian's kernel for clouds, taken out
 * of its package into test/vm/build and never installed, and an initramfs with one program and the modules of
 * VFIO. If it is not available, the set-up prints the reason and continues: tests that need it are skipped,
 * and the demonstration prints the reason.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { root, run, say } from './command.mjs';
import { archive } from './cpio.mjs';
import { digest, once } from './inputs.mjs';

const BUILD = 'test/vm/build';
const PROGRAM = ['init.c', 'ivshmem.c'].map((file) => `test/vm/guest/${file}`);
/** A package that depends on the newest cloud kernel. */
const NEWEST = 'linux-image-cloud-amd64';
/** In the order in which they must be loaded. */
const MODULES = ['irqbypass', 'vfio', 'vfio_virqfd', 'vfio_iommu_type1', 'vfio-pci-core', 'vfio-pci'];

/** The kernel's package; undefined if the package lists contain none. */
function kernelPackage() {
  const { stdout } = spawnSync('apt-cache', ['show', '--no-all-versions', NEWEST], { encoding: 'utf8' });
  return /^Depends: (linux-image-[^\s,]+)/m.exec(stdout ?? '')?.[1];
}

/** Files of a folder and all below it. */
const below = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath ?? each.path, each.name));

async function fetchKernel() {
  const without = (why) => say(`no kernel for guests (${why}): tests that need one are skipped`);
  const name = kernelPackage();
  if (!name) return without(`apt-cache does not list ${NEWEST}`);
  const folder = join(root, BUILD, 'package');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  let failed = false;
  const note = () => {
    failed = true;
  };
  // apt-get's sandbox user could not write to this folder.
  const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
  await run(`fetching ${name}`, 'apt-get', [...sandbox, '-qq', 'download', name], {
    cwd: folder,
    failed: note,
  });
  const [packed] = readdirSync(folder);
  if (failed || !packed) return without('it could not be downloaded, see above');
  await run(`unpacking ${packed}`, 'dpkg', ['-x', packed, '.'], { cwd: folder, failed: note });
  const files = failed ? [] : below(folder);
  const found = [
    files.find((file) => basename(file).startsWith('vmlinuz-')),
    ...MODULES.map((module) => files.find((file) => basename(file) === `${module}.ko`)),
  ];
  if (found.includes(undefined)) without(`${packed} does not contain the files of Debian 12's package`);
  else {
    for (const [at, module] of MODULES.entries()) {
      copyFileSync(found[at + 1], join(root, BUILD, `${module}.ko`));
    }
    renameSync(found[0], join(root, BUILD, 'vmlinuz'));
  }
  rmSync(folder, { recursive: true });
}

async function buildInitramfs() {
  const init = `${BUILD}/init`;
  const flags = ['-static', '-O2', '-Wall', '-Wextra', '-o', init];
  await run("building the guest's program", 'gcc', [...flags, ...PROGRAM]);
  const modules = MODULES.map((module) => readFileSync(join(root, BUILD, `${module}.ko`)));
  const files = [
    ['init', readFileSync(join(root, init)), 0o755],
    ['modules', undefined, 0o755],
    ...modules.map((bytes, at) => [`modules/${at}.ko`, bytes, 0o644]),
  ];
  writeFileSync(join(root, BUILD, 'initramfs'), archive(files));
}

/** Makes test/vm/build/vmlinuz and test/vm/build/initramfs, or prints why that is not possible. */
export async function buildGuest() {
  if (process.arch !== 'x64') return;
  const kernel = `${BUILD}/vmlinuz`;
  await once(`${BUILD}/.kernel`, digest([], NEWEST, ...MODULES), kernel, fetchKernel);
  const modules = MODULES.map((module) => `${BUILD}/${module}.ko`);
  if (!existsSync(join(root, kernel))) return; // fetchKernel() has printed why.
  const inputs = digest([...PROGRAM, 'test/vm/guest/ivshmem.h', 'scripts/cpio.mjs', ...modules]);
  await once(`${BUILD}/.initramfs`, inputs, `${BUILD}/initramfs`, buildInitramfs);
}
