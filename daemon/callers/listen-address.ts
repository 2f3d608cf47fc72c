/**
 * The TCP address that the admin plane listens on, if one is configured: a loopback address and a port.
 *
 * TCP does not identify its peer, so every process on the host can read what is served there. To exclude
 * other hosts, an address that is not a loopback address is refused, and so is a name, which could resolve to
 * any address.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { VkmemError } from '@vkmemd/proto';

export interface ListenAddress {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

/** As in a URL: `127.0.0.1:9464`, `[::1]:9464`. */
const ADDRESS = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:]+)):(\d{1,5})$/;

/** @throws VkmemError INVALID_ARGUMENT unless it is a loopback address with a port. */
export function parseListenAddress(text: string): ListenAddress {
  const [, six, four, digits] = ADDRESS.exec(text) ?? [];
  const host = six ?? four ?? '';
  const port = Number(digits);
  if (!(six === undefined ? isIPv4(host) : isIPv6(host)) || port > 65_535) {
    throw wrong(text, 'The address must have the form 127.0.0.1:PORT or [::1]:PORT.');
  }
  const loopback =
    six === undefined ? host.startsWith('127.') : new URL(`http://[${six}]`).hostname === '[::1]';
  if (!loopback) throw wrong(text, 'The address must be a loopback address (127.0.0.0/8 or [::1]).');
  return { host, port };
}

/** As in a URL. */
export const addressText = ({ host, port }: ListenAddress): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

function wrong(text: string, why: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `--admin-listen: ${text}: ${why}`, { field: 'admin-listen' });
}
