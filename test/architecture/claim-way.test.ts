/** The number of source files that one Claim executes, and that docs/architecture.md lists them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';
import { enteredFiles } from './entered-files.js';

const MAX_FILES = 20;

t.test(
  'a Claim by name of SHARED MAPPABLE memory executes the files that docs/architecture.md lists',
  async (t) => {
    const files = await enteredFiles('claim');
    for (const part of [
      'daemon/handoff/',
      'daemon/requests/',
      'daemon/memory/',
      'daemon/vulkan/',
      'proto/',
    ]) {
      t.ok(
        files.some((file) => file.startsWith(part)),
        `it enters ${part}`,
      );
    }
    t.ok(files.length <= MAX_FILES, `it enters ${files.length} files, at most ${MAX_FILES}`);

    const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
    const [section = ''] = /^## The way of one Claim$.*?(?=^## )/ms.exec(page) ?? [];
    const listed = [...section.matchAll(/^\d+\. `([^`]+)`: \S/gm)].map(([, path = '']) => path);
    t.equal(new Set(listed).size, listed.length, 'the page lists each file once');
    t.strictSame(listed.sort(), files, 'the page lists these files');
  },
);
