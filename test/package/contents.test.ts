/**
 * The contents of the Debian package: all files that the programs need and none that only development needs;
 * modes, owners, dates and all other bytes independent of who built it. The programs run from where it is
 * unpacked.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { plainEnvironment, root } from '../support/daemon.js';
import { checkBinaries } from './binaries.js';
import { builtPackage, field, listed, noPackage, unpacked } from './support.js';

const LIBRARY = '/usr/lib/vkmemd';

t.setTimeout(900_000);

t.test('the package has the files of the programs', { skip: noPackage, timeout: 300_000 }, async (t) => {
  const all = listed();
  const paths = new Set(all.map(({ path }) => path));
  const units = readdirSync(join(root, 'systemd')).filter((name) => /\.(service|socket)$/.test(name));
  for (const path of [
    ...units.map((unit) => `/usr/lib/systemd/system/${unit}`),
    '/usr/lib/systemd/system-generators/vkmemd-generator',
    `${LIBRARY}/vkmemd-start-devices`,
    '/usr/lib/sysusers.d/vkmemd.conf',
    '/usr/lib/tmpfiles.d/vkmemd.conf',
    '/usr/share/man/man8/vkmemd.8.gz',
    '/usr/share/man/man1/vkmemctl.1.gz',
    '/usr/share/man/man5/vkmemd.toml.5.gz',
    '/usr/share/doc/vkmemd/copyright',
    '/usr/share/doc/vkmemd/changelog.gz',
    '/usr/share/doc/vkmemd/examples/vkmemd.toml',
    '/etc/vkmemd/conf.d/',
    '/etc/apparmor.d/vkmemd',
    `${LIBRARY}/proto/native/build/Release/vkmem_proto.node`,
    `${LIBRARY}/proto/native/build/Release/vkmemd_front_launcher`,
    `${LIBRARY}/daemon/vulkan/native/build/Release/vkmem_vulkan.node`,
    `${LIBRARY}/daemon/vulkan/native/build/Release/vkmemd-cuda-export`,
    `${LIBRARY}/proto/vkmem/v1/handoff.proto`,
    `${LIBRARY}/bin/node`,
    `${LIBRARY}/daemon/dist/bundle/vkmemd.cjs`,
    `${LIBRARY}/daemon/dist/bundle/vkmemd.v8-cache`,
    `${LIBRARY}/client/typescript/dist/index.js`,
    `${LIBRARY}/client/typescript/dist/index.d.ts`,
    `${LIBRARY}/proto/dist/vkmem.json`,
    '/usr/share/doc/vkmemd/LICENSE.node.gz',
  ]) {
    t.ok(paths.has(path), path);
  }
  const links = new Map(all.map(({ path, target }) => [path, target]));
  t.equal(links.get('/usr/bin/vkmemd'), '../lib/vkmemd/daemon/bin/vkmemd.js');
  t.equal(links.get('/usr/bin/vkmemctl'), '../lib/vkmemd/client/typescript/bin/vkmemctl.js');
  const outside = all.filter(
    ({ path }) => !/^\/(usr\/(bin|lib|share)?|etc\/(vkmemd|apparmor\.d)\/|$|etc\/$|usr\/$)/.test(path),
  );
  t.strictSame(outside, [], 'no file elsewhere');
});

t.test('the package has no development files', { skip: noPackage, timeout: 300_000 }, async (t) => {
  const all = listed();
  const sources = all.filter(({ path }) =>
    /((?<!\.d)\.[cm]?ts|\.(map|c|cc|h|gyp|tsbuildinfo|test\.js))$/.test(path),
  );
  t.strictSame(sources, [], 'no sources or source maps');
  const tests = all.filter(({ path }) => /\/(store\/failing\.js|tests?\/|\.package-lock\.json)/.test(path));
  t.strictSame(tests, [], 'no tests, and no files that only tests load');
  const odd = all.filter(({ path }) => /\/\.|\/vkmemd\/(conf\.d\/)?[^/]*\.toml$/.test(path));
  t.strictSame(odd, [], 'no hidden file, and no policy');
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const packages = new Set(
    all.map(({ path }) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/package\.json$/.exec(path)?.[1]),
  );
  t.strictSame(
    Object.keys(devDependencies).filter((name) => packages.has(name)),
    [],
    'no development dependency',
  );
  t.ok(packages.has('@grpc/grpc-js') && packages.has('unix-dgram'), 'what the library and the addons need');
  t.notOk(packages.has('fastify') || packages.has('lmdb'), 'what is in the bundles is not there twice');
});

t.test('the package does not depend on its builder', { skip: noPackage, timeout: 300_000 }, async (t) => {
  const all = listed();
  t.strictSame(
    all.filter(({ owner }) => owner !== 'root/root'),
    [],
    'every file belongs to root',
  );
  const odd = all.filter(({ mode, path, target }) => {
    if (target !== undefined) return false;
    const program =
      /\/(bin\/vkmem(d|ctl)\.js|vkmemd\/bin\/node|vkmemd-generator|vkmemd-start-devices|vkmemd_front_launcher|vkmemd-cuda-export)$/.test(
        path,
      );
    return mode !== (mode.startsWith('d') ? 'drwxr-xr-x' : program ? '-rwxr-xr-x' : '-rw-r--r--');
  });
  t.strictSame(odd, [], 'every file is readable for all');
  t.equal(new Set(all.map(({ date }) => date)).size, 1, 'all files have the same date');
  const folder = unpacked();
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path))
    .filter((path) => lstatSync(path).isFile());
  const { registry } = JSON.parse(
    execFileSync('npm', ['config', 'list', '--json'], {
      encoding: 'utf8',
      cwd: root,
      env: plainEnvironment(),
    }),
  );
  const { host } = new URL(registry);
  for (const text of [root.replace(/\/$/, ''), '"_resolved"', host]) {
    // Packages name the public registry in their own metadata.
    if (text === ['registry', 'npmjs', 'org'].join('.')) continue;
    const naming = files.filter((file) => readFileSync(file).includes(text));
    t.strictSame(naming, [], `no file names ${text === host ? 'the registry of the packages' : text}`);
  }
});

t.test(
  "the package's fields, scripts and units are correct",
  { skip: noPackage, timeout: 300_000 },
  async (t) => {
    const { version } = JSON.parse(readFileSync(join(root, 'daemon/package.json'), 'utf8'));
    t.equal(field('Package'), 'vkmemd');
    t.equal(field('Version'), version);
    t.equal(
      field('Architecture'),
      execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim(),
    );
    const depends = field('Depends').split(', ');
    t.notMatch(field('Depends'), /nodejs/, 'it has its own Node.js');
    const { author } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    t.equal(field('Maintainer'), author);
    t.ok(depends.includes('libvulkan1'));
    t.ok(depends.some((one) => /^libc6 \(>= 2\.\d+\)$/.test(one)));
    t.match(field('Description'), /^Vulkan memory daemon\n {1,2}\S/);
    const folder = unpacked();
    const scripts = join(folder, 'DEBIAN');
    execFileSync('dpkg-deb', ['--control', builtPackage(), scripts]);
    const scriptNames = ['postinst', 'postrm', 'prerm'];
    t.strictSame(readdirSync(scripts).sort(), ['conffiles', 'control', 'md5sums', ...scriptNames]);
    t.equal(readFileSync(join(scripts, 'conffiles'), 'utf8'), '/etc/apparmor.d/vkmemd\n');
    const { status, stdout } = spawnSync('md5sum', ['--quiet', '--check', 'DEBIAN/md5sums'], {
      cwd: folder,
      encoding: 'utf8',
    });
    t.equal(status, 0, stdout);
    for (const script of scriptNames) {
      t.equal(spawnSync('sh', ['-n', join(scripts, script)]).status, 0, `${script} is a script`);
    }
    for (const unit of ['vkmemd.service', 'vkmemd@.service']) {
      const text = readFileSync(join(folder, 'usr/lib/systemd/system', unit), 'utf8');
      const [, retained] = /^FileDescriptorStoreMax=(\d+)$/m.exec(text) ?? [];
      const [, reported] = /^Environment=VKMEMD_FDSTORE_MAX=(\d+)$/m.exec(text) ?? [];
      t.ok(
        Number(retained) > 0 && retained === reported,
        `${unit}: the daemon gets the number of fds that the unit stores`,
      );
    }
    const changelog = gunzipSync(readFileSync(join(folder, 'usr/share/doc/vkmemd/changelog.gz'))).toString();
    t.match(changelog, new RegExp(`^vkmemd \\(${version}\\) \\w+; urgency=`));
    t.match(changelog, /\n -- .* <.*> {2}\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\n/);
  },
);

t.test('every link of the installed pages leads to an installed file', { skip: noPackage }, async (t) => {
  const doc = join(unpacked(), 'usr/share/doc/vkmemd');
  const pages = readdirSync(doc, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.md'),
  );
  t.ok(pages.includes('README.md') && pages.includes('SECURITY.md') && pages.length > 25, pages.join(', '));
  let links = 0;
  const dead = pages.flatMap((page) => {
    const prose = readFileSync(join(doc, page), 'utf8').replace(/^(```|~~~)[\s\S]*?^\1|`[^`\n]*`/gm, '');
    return [...prose.matchAll(/\]\(([^()\s#]+)(?:#[^()\s]*)?\)/g)].flatMap(([, link = '']) => {
      if (/^[a-z+.-]+:/i.test(link)) return [];
      links += 1;
      return existsSync(join(doc, dirname(page), link)) ? [] : [`${page}: ${link}`];
    });
  });
  t.strictSame(dead, []);
  t.ok(links > 100, `${links} links`);
  const protocol = readFileSync(join(doc, 'protocol.md'), 'utf8');
  t.match(protocol, '[control.proto](../../../lib/vkmemd/proto/vkmem/v1/control.proto)');
  t.match(protocol, 'one (test/docs/independent_client.py in the source)', 'a file of a checkout is named');
});

t.test('the unpacked programs run', { skip: noPackage, timeout: 300_000 }, async (t) => {
  const folder = unpacked();
  const { version } = JSON.parse(readFileSync(join(root, 'daemon/package.json'), 'utf8'));
  for (const program of ['vkmemd', 'vkmemctl']) {
    const file = readFileSync(join(folder, 'usr/bin', program), 'utf8');
    t.match(file, /^#!\/usr\/lib\/vkmemd\/bin\/node\n/, 'the interpreter is the installed Node.js');
    // Unpacked elsewhere, it is not where that line names it.
    const { stdout, stderr } = spawnSync(
      join(folder, LIBRARY, 'bin/node'),
      [join(folder, 'usr/bin', program), '--version'],
      {
        encoding: 'utf8',
        env: plainEnvironment(),
      },
    );
    const runtime = program === 'vkmemd' ? ` (Node.js ${process.versions.node})` : '';
    t.equal(stdout, `${version}${runtime}\n`, stderr);
  }
  const example = join(folder, 'usr/share/doc/vkmemd/examples/vkmemd.toml');
  const { status, stdout, stderr } = spawnSync(
    join(folder, LIBRARY, 'bin/node'),
    [join(folder, 'usr/bin/vkmemd'), '--check-config', '--config', example],
    { encoding: 'utf8', env: plainEnvironment() },
  );
  t.equal(status, 0, `the example is a valid policy: ${stdout}${stderr}`);
});

t.test('every binary runs on Ubuntu 22.04 and Debian 12', { skip: noPackage, timeout: 300_000 }, async (t) =>
  checkBinaries(t, unpacked(), process.arch),
);
