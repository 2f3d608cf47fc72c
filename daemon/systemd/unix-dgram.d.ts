/**
 * Types for the part of unix-dgram that vkmemd and its tests use; the package has none. send() calls its
 * callback before it returns.
 */
declare module 'unix-dgram' {
  interface UnixDatagramSocket {
    send(
      buffer: Buffer,
      offset: number,
      length: number,
      path: string,
      callback: (error?: Error) => void,
    ): void;
    bind(path: string): void;
    close(): void;
  }
  const unixDgram: {
    createSocket(type: 'unix_dgram', listener?: (message: Buffer) => void): UnixDatagramSocket;
  };
  export default unixDgram;
}
