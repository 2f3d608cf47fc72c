/**
 * Listening TCP sockets. Their peers have no identity: any process that can reach the address can connect.
 * Listener.adoptTcp() accepts the connections.
 */
import { isIP } from 'node:net';
import { VkmemError } from '../contract/errors.js';
import { OwnedFd } from './fd.js';
import { native } from './native.js';

const MAX_PORT = 65_535;
const BACKLOG = 1024;

/** An address of TCP. */
export interface TcpAddress {
  /** A numeric IPv4 or IPv6 address, such as '127.0.0.1' or '::1'. */
  readonly host: string;
  /** 0 to listen on any free port. */
  readonly port: number;
}

/** A listening TCP socket. */
export interface TcpListening {
  /** The caller owns it. It is CLOEXEC and non-blocking. */
  readonly fd: OwnedFd;
  /** The address that it is bound to, with the port that the kernel has chosen. */
  readonly address: TcpAddress;
}

/**
 * Listens at an address, without accepting connections. An IPv6 address accepts IPv6 only. No name is looked
 * up, so the call does not wait.
 * @throws VkmemError INVALID_ARGUMENT unless the host is numeric and the port is from 0 to 65535.
 * @throws KernelError from socket() (EAFNOSUPPORT), bind() (EADDRINUSE, EADDRNOTAVAIL, EACCES) or listen()
 *   (EADDRINUSE).
 */
export function listenTcp({ host, port }: TcpAddress): TcpListening {
  if (isIP(host) === 0) {
    throw new VkmemError('INVALID_ARGUMENT', `host: ${host} is not a numeric IPv4 or IPv6 address.`);
  }
  if (!Number.isInteger(port) || port < 0 || port > MAX_PORT) {
    throw new VkmemError('INVALID_ARGUMENT', `port: ${port} is not a number from 0 to ${MAX_PORT}.`);
  }
  const { fd, ...address } = native.listenTcp(host, port, BACKLOG);
  return { fd: new OwnedFd(fd, `listening on port ${address.port}`), address };
}
