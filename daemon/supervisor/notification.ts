/**
 * A notification: one datagram from a service to its manager (sd_notify), with lines of VARIABLE=value. If a
 * variable is repeated, the first line is used. Other lines and unknown variables are ignored, as by systemd.
 */

export type Notification = ReadonlyMap<string, string>;

/** systemd's limit (NOTIFY_BUFFER_MAX), which exceeds every notification of the daemon. */
export const MAX_NOTIFICATION_BYTES = 4096;

export function parseNotification(data: Buffer): Notification {
  const fields = new Map<string, string>();
  for (const line of data.toString('utf8').split('\n')) {
    const at = line.indexOf('=');
    if (at <= 0) continue;
    const name = line.slice(0, at);
    if (!fields.has(name)) fields.set(name, line.slice(at + 1));
  }
  return fields;
}

/** The lines of these variables only, to be forwarded; empty if it contains none of them. */
export function selectLines(notification: Notification, names: readonly string[]): string {
  return names
    .flatMap((name) => (notification.has(name) ? [`${name}=${notification.get(name)}`] : []))
    .join('\n');
}
