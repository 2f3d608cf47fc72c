/**
 * A notification: what a service sends to its manager in one datagram (sd_notify), as lines of
 * VARIABLE=value. Where a variable is repeated the first counts. Other lines are ignored, and so are unknown
 * variables, as systemd does.
 */

export type Notification = ReadonlyMap<string, string>;

/** Systemd's limit (NOTIFY_BUFFER_MAX), which exceeds every notification of the daemon. */
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

/** The lines of these variables only, to be sent on; empty where it has none of them. */
export function selectLines(notification: Notification, names: readonly string[]): string {
  return names
    .flatMap((name) => (notification.has(name) ? [`${name}=${notification.get(name)}`] : []))
    .join('\n');
}
