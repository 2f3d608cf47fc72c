/** The front of a daemon, from outside: which process it is, and whether gRPC is served. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { serviceDefinition } from '@vkmemd/proto';
import type { TestDaemon } from '../support/daemon.js';
import { rawSession } from '../support/raw-http2.js';

const POLL_MS = 5;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves to the first value that is not undefined. @throws Error after the time. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  ms = 15_000,
) {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(POLL_MS)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`timed out: ${what}`);
}

/** Resolves when it holds. @throws Error after the time. */
export const until = (what: string, holds: () => boolean | Promise<boolean>, ms?: number): Promise<true> =>
  eventually(what, async () => (await holds()) || undefined, ms);

/** A file of /proc; empty if the process has ended. */
export function procFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

/** The children of a process. */
export const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    procFile(pid, `task/${task}/children`).split(' ').filter(Boolean).map(Number),
  );

/** The front of a daemon that is a process of its own; undefined while there is none. */
export const frontOf = ({ pid }: Pick<TestDaemon, 'pid'>): number | undefined =>
  childrenOf(pid).find((child) => /bin\/front\.js\0/.test(procFile(child, 'cmdline')));

/** Resolves to the pid of a front other than the given one. */
export const anotherFront = (daemon: Pick<TestDaemon, 'pid'>, before?: number): Promise<number> =>
  eventually('a front', () => {
    const pid = frontOf(daemon);
    return pid === before ? undefined : pid;
  });

/** What the fds of a process refer to, by their number. */
export function linksOf(pid: number): Map<number, string> {
  const links = new Map<number, string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      links.set(Number(fd), readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      // It was closed meanwhile.
    }
  }
  return links;
}

/** Whether a new connection is served by gRPC. Without grpc-js, which connects again after it was closed. */
function isServed(runtimeDir: string): Promise<boolean> {
  return new Promise((resolve) => {
    const session = rawSession(runtimeDir, 65_535);
    const end = (served: boolean): void => {
      session.destroy();
      resolve(served);
    };
    session.once('error', () => end(false)).once('close', () => end(false));
    const path = serviceDefinition('DeviceService').GetBudget?.path;
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    call.once('error', () => end(false)).once('trailers', (trailers) => end(trailers['grpc-status'] === '0'));
    call.resume().end(Buffer.alloc(5));
  });
}

/** Resolves when a new connection is served by gRPC. @returns how long that took, in milliseconds. */
export async function grpcBack(runtimeDir: string, ms = 30_000): Promise<number> {
  const began = performance.now();
  await until('gRPC is served', () => isServed(runtimeDir), ms);
  return performance.now() - began;
}
