/**
 * Where the admin plane listens for TCP, if it is configured to: an address of this host alone, and a port.
 *
 * TCP says nothing of who is at the other end, so what is served there anybody on the host can read, and
 * nobody else: an address that is not a loopback one is refused, and so is a name, which may mean anything.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { VkmemError } from '@vkmemd/proto';

export interface ListenAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** As in a URL: `127.0.0.1:9464`, `[::1]:9464`. */
const ADDRESS = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:]+)):(\d{1,5})$/;

/** @throws VkmemError INVALID_ARGUMENT where it is no address with a port, or no loopback address. */
export function parseListenAddress(text: string): ListenAddress {
  const [, six, four, digits] = ADDRESS.exec(text) ?? [];
  const host = six ?? four ?? '';
  const port = Number(digits);
  if (!(six === undefined ? isIPv4(host) : isIPv6(host)) || port > 65_535) {
    throw wrong(text, 'It is written 127.0.0.1:PORT or [::1]:PORT.');
  }
  const loopback =
    six === undefined ? host.startsWith('127.') : new URL(`http://[${six}]`).hostname === '[::1]';
  if (!loopback) throw wrong(text, 'Only addresses of this host (127.0.0.0/8, [::1]) are listened on.');
  return { host, port };
}

/** As it stands in a URL. */
export const addressText = ({ host, port }: ListenAddress): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

/**
 * Whether the Host header of a request that came by TCP names this host. A web page of another site could
 * otherwise have a browser on this host read the answers, by a name that it lets point here.
 */
export function namesThisHost(header: string | undefined): boolean {
  const name = (header ?? '').replace(/:\d*$/, '');
  return name === 'localhost' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}

function wrong(text: string, why: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `${text}: ${why}`, { field: 'admin-listen' });
}
