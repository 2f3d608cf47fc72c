/** The names of this host, in HTTP requests by TCP. */
import { isIPv4 } from 'node:net';

/**
 * Whether the Host header of a TCP request names this host. Otherwise a web page of another site could make a
 * browser on this host read the answers, by a name that resolves to this host (DNS rebinding).
 */
export function namesThisHost(header: string | undefined): boolean {
  const name = (header ?? '').replace(/:\d*$/, '');
  return name === 'localhost' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}
