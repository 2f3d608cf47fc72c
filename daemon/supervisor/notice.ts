/**
 * What a service tells its manager in one datagram (sd_notify): lines of VARIABLE=value, of which the first of a name
 * counts. Lines that are none, and variables that nobody knows, are passed over, as systemd does.
 */

export type Notice = ReadonlyMap<string, string>;

/** More than any message of ours, and as much as systemd reads. */
export const MAX_NOTICE_BYTES = 4096;

export function parseNotice(data: Buffer): Notice {
  const fields = new Map<string, string>();
  for (const line of data.toString('utf8').split('\n')) {
    const at = line.indexOf('=');
    if (at <= 0) continue;
    const name = line.slice(0, at);
    if (!fields.has(name)) fields.set(name, line.slice(at + 1));
  }
  return fields;
}

/** As it is sent on: only the fields of these names. Empty where it has none of them. */
export function excerpt(notice: Notice, names: readonly string[]): string {
  return names.flatMap((name) => (notice.has(name) ? [`${name}=${notice.get(name)}`] : [])).join('\n');
}
