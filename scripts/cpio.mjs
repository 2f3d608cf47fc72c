/**
 * Writes a cpio archive in the format `newc`, from which Linux unpacks an initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst): a header of hexadecimal numbers, the name and
 * the bytes, padded to four bytes. All entries belong to root and have the time 0, so that equal files result
 * in equal archives.
 */

const FILE = 0o100_000;
const FOLDER = 0o40_000;
const END = 'TRAILER!!!';

const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

function entry(inode, name, mode, bytes) {
  const size = Buffer.byteLength(name) + 1;
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, size, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.from(`${head}${name}\0`)), padded(bytes)]);
}

/**
 * The archive's bytes.
 * @param entries [name, bytes, mode], such as ['init', bytes, 0o755]. A folder has no bytes and precedes its
 *   entries.
 */
export function archive(entries) {
  const all = entries.map(([name, bytes, mode], at) =>
    entry(at + 1, name, (bytes ? FILE : FOLDER) | mode, bytes ?? Buffer.alloc(0)),
  );
  return Buffer.concat([...all, entry(0, END, 0, Buffer.alloc(0))]);
}
