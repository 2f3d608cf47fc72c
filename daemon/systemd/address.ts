/**
 * Addresses of Unix sockets as unix-dgram can reach them: it cuts long paths short without a word, which would lead to
 * another socket, and knows no abstract ones.
 */

/** sizeof(sockaddr_un.sun_path), with its final zero. */
const MAX_PATH = 108;

/** @param what whose address it is, for the failure's text. @throws Error where it cannot be reached. */
export function requireAddress(what: string, path: string): void {
  if (!path.startsWith('/'))
    throw new Error(`${what}: ${path} is not a path; abstract sockets cannot be reached`);
  if (Buffer.byteLength(path) >= MAX_PATH) throw new Error(`${what} is longer than ${MAX_PATH - 1} bytes`);
}
