/**
 * The Debian package: dist-package/vkmemd_VERSION_ARCH.deb, of what is compiled and built already, by Debian's own tools.
 * Built once for the same inputs; `--output FOLDER` builds it anew, there. Prints the package's path. With
 * `--arch amd64` or `--arch arm64` it is for that processor; if that is not this machine's, its Node.js is
 * installed and its addons are built first. `--compression none` builds the same package uncompressed, which
 * is quick, to compare the contents.
 *
 * Two builds of one checkout are the same byte for byte: every date is that of the last commit, or $SOURCE_DATE_EPOCH.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { normalise, inputs as packaged, stage } from '../packaging/contents.mjs';
import { prepare } from '../packaging/crossed.mjs';
import { copyright, debianChangelog, installedSize, writeControl } from '../packaging/metadata.mjs';
import { ARCHITECTURES, ownArchitecture, platformOf } from '../packaging/platform.mjs';
import { fail, root, run, say } from './command.mjs';
import { digest, once, runtimeNode } from './inputs.mjs';

const EX_USAGE = 64;
const FOLDER = 'dist-package';
/** Of xz: the quickest one with which a package stays below 32 MB. */
const LEVEL = 4;
const COMPRESSIONS = { xz: ['-Zxz', `-z${LEVEL}`], none: ['-Znone'] };

/**
 * The zlib of the Node.js that runs this compresses the manual pages: it is always vkmemd's own, so that the
 * package is the same, and is not built anew, whichever version starts this.
 */
function runOnOwnNode() {
  const program = fileURLToPath(import.meta.url);
  if (!existsSync(runtimeNode))
    fail("vkmemd's Node.js is not installed: `node scripts/setup.mjs package` does");
  if (process.execPath === realpathSync(runtimeNode)) return;
  const { status } = spawnSync(runtimeNode, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(status ?? 1);
}

/** Seconds since 1970. */
function sourceDate() {
  const said = process.env.SOURCE_DATE_EPOCH ?? lastCommit();
  if (!/^\d{1,11}$/.test(said)) fail(`SOURCE_DATE_EPOCH is '${said}', and not seconds since 1970`);
  return Number(said);
}

function lastCommit() {
  try {
    const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', ['log', '-1', '--format=%ct'], options).trim();
  } catch {
    return fail('there is no commit to take the date from: set SOURCE_DATE_EPOCH');
  }
}

const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Builds it into a folder, under a name that appears when it is whole. */
async function build(into, name, about, compression) {
  const work = mkdtempSync(join(tmpdir(), 'vkmemd-package-'));
  try {
    const tree = join(work, 'tree');
    const documents = new Map([
      ['copyright', copyright(about.platform)],
      ['changelog.gz', debianChangelog(about.seconds)],
    ]);
    stage(tree, about, documents);
    writeControl(tree, about);
    normalise(tree, about.seconds);
    const made = join(work, name);
    const env = { ...process.env, SOURCE_DATE_EPOCH: String(about.seconds) };
    // On all processors: xz divides its input by the level, not by the number of threads.
    const args = ['--root-owner-group', ...COMPRESSIONS[compression], '--build', tree, made];
    await run('building the package', 'dpkg-deb', args, { env });
    mkdirSync(into, { recursive: true });
    const unfinished = join(into, `.${name}.${process.pid}`);
    copyFileSync(made, unfinished);
    renameSync(unfinished, join(into, name));
    rmSync(join(tree, 'DEBIAN'), { recursive: true });
    const [size, installed] = [statSync(made).size, installedSize(tree) * 1024];
    say(`${name}: ${mib(size)}, installed ${mib(installed)}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

runOnOwnNode();
const { output, arch, compression } = parseArgs({
  options: {
    output: { type: 'string' },
    arch: { type: 'string', default: ownArchitecture() },
    compression: { type: 'string', default: 'xz' },
  },
}).values;
if (!ARCHITECTURES.includes(arch)) {
  fail(`'${arch}': a package is for one of ${ARCHITECTURES.join(', ')}`, EX_USAGE);
}
if (!(compression in COMPRESSIONS)) fail(`--compression ${Object.keys(COMPRESSIONS).join('|')}`, EX_USAGE);
if (compression !== 'xz' && output === undefined) fail(`'${compression}' needs --output`, EX_USAGE);
const { version } = JSON.parse(readFileSync(join(root, 'daemon/package.json'), 'utf8'));
const seconds = sourceDate();
const platform = platformOf(arch);
const about = { version, seconds, date: new Date(seconds * 1000).toISOString().slice(0, 10), platform };
const name = `vkmemd_${version}_${arch}.deb`;
const into = output === undefined ? join(root, FOLDER) : resolve(output);
const inputs = () => digest(packaged(platform), 'v4', String(seconds));
if (platform.crossed) await prepare(about);
if (output !== undefined) await build(into, name, about, compression);
else
  await once(`${FOLDER}/.inputs-${arch}`, inputs(), join(FOLDER, name), () =>
    build(into, name, about, compression),
  );
process.stdout.write(`${join(into, name)}\n`);
