/**
 * Finds and reads the files of a policy.
 *
 * The vendor's files come first (/usr/lib/vkmemd, then its conf.d), then the administrator's
 * (/etc/vkmemd/vkmemd.toml, then conf.d there). Within a folder they are sorted by name, byte by byte. The
 * file of --config replaces all of them. A standard file may be missing. One that exists and cannot be read
 * is a fault, because an incomplete policy may give too many rights. A dangling link counts as an existing
 * file.
 */
import { isUtf8 } from 'node:buffer';
import { constants as modes, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Findings } from './findings.js';
import type { Source } from './toml.js';

export interface Sources {
  /** The only file to read; undefined for the standard files. */
  readonly config: string | undefined;
  /** The folder that the standard paths are relative to. */
  readonly root: string;
}

const MAX_BYTES = 1 << 18;

/** All files that exist, in order. Faults and warnings are added to `findings`. */
export async function readSources({ config, root }: Sources, findings: Findings): Promise<Source[]> {
  const files = config === undefined ? await standardFiles(root, findings) : [{ file: config, needed: true }];
  const sources: Source[] = [];
  for (const { file, needed } of files) {
    const text = await textOf(file, needed, findings);
    if (text !== undefined) sources.push({ file, text });
  }
  return sources;
}

async function standardFiles(root: string, findings: Findings): Promise<{ file: string; needed: boolean }[]> {
  const [vendor, local] = [join(root, '/usr/lib/vkmemd'), join(root, '/etc/vkmemd')];
  const main = join(local, 'vkmemd.toml');
  if (!(await exists(root)))
    findings.fault({ file: root }, 'the folder does not exist (ENOENT); correct --config-root.');
  const listed = async (folder: string) => {
    const files = await filesIn(folder, findings);
    return files.map((file) => ({ file, needed: true }));
  };
  const beside = (await filesIn(local, findings)).filter((file) => file !== main);
  for (const file of beside) {
    findings.warn({ file }, `the file is not read; to use it, move it to ${join(local, 'conf.d')}.`);
  }
  return [
    ...(await listed(vendor)),
    ...(await listed(join(vendor, 'conf.d'))),
    { file: main, needed: false },
    ...(await listed(join(local, 'conf.d'))),
  ];
}

/** The folder's *.toml files, except hidden ones. */
async function filesIn(folder: string, findings: Findings): Promise<string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.toml') && !name.startsWith('.'));
    return names
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map((name) => join(folder, name));
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (code !== 'ENOENT' || (await exists(folder))) {
      findings.fault({ file: folder }, `the folder ${unread(code)}`);
    }
    return [];
  }
}

/** Whether the path exists; a dangling link does. */
async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** @param needed Whether a missing file is a fault. */
async function textOf(file: string, needed: boolean, findings: Findings): Promise<string | undefined> {
  let bytes: Buffer;
  try {
    // O_NONBLOCK: opening a FIFO without a writer would block.
    await using handle = await open(file, modes.O_RDONLY | modes.O_NONBLOCK | modes.O_NOCTTY);
    const status = await handle.stat();
    const wrong = unreadable(status);
    if (wrong) findings.fault({ file }, wrong);
    if (wrong) return undefined;
    if ((status.mode & 0o002) !== 0 && status.isFile()) {
      findings.warn({ file }, 'the file is world-writable: every user can change the policy.');
    }
    bytes = await bytesOf(handle);
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    const missing = code === 'ENOENT' && !(await exists(file));
    if (missing && needed) {
      findings.fault({ file }, 'the file does not exist (ENOENT); create it, or name another with --config.');
    } else if (!missing) findings.fault({ file }, `the file ${unread(code ?? String(failure))}`);
    return undefined;
  }
  if (bytes.length > MAX_BYTES) {
    findings.fault({ file }, `the file is too large; allowed: at most ${MAX_BYTES} bytes.`);
    return undefined;
  }
  if (isUtf8(bytes)) return bytes.toString('utf8').replace(/^\ufeff/, '');
  const lines = bytes.toString('latin1').split('\n');
  const line = lines.findIndex((one) => !isUtf8(Buffer.from(one, 'latin1')));
  const column = Buffer.from(lines[line] ?? '', 'latin1')
    .toString('utf8')
    .indexOf('\ufffd');
  findings.fault({ file, line: line + 1, column: column + 1 }, 'invalid UTF-8; allowed: TOML in UTF-8.');
  return undefined;
}

/** Why an existing file or folder cannot be read, and what to do. */
function unread(code: string | undefined): string {
  if (code === 'ENOENT')
    return 'is a link whose target does not exist (ENOENT); remove it, or restore the target.';
  if (code === 'EACCES') return 'cannot be read (EACCES); let the user that vkmemd runs as read it.';
  return `cannot be read: ${code}.`;
}

/** A character device is allowed: /dev/null is an empty policy. */
function unreadable(status: Stats): string | undefined {
  if (status.isFile() || status.isCharacterDevice()) return undefined;
  return 'the file cannot be read: it is not a regular file.';
}

/** Reads the file, at most one chunk more than MAX_BYTES. */
async function bytesOf(handle: FileHandle): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  while (length <= MAX_BYTES) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(65_536));
    if (bytesRead === 0) break;
    parts.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
  return Buffer.concat(parts);
}
