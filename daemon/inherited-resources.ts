/**
 * What whoever started this process handed to it: the sockets that it listens on in the daemon's place, and an fd store
 * with what was kept there before. Without an fd store nothing outlives this process.
 */
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import type { pino } from 'pino';
import type { FdStore } from './store/fd-store.js';
import { Activation } from './systemd/activation.js';
import { fdStoreCapacity, NotifyFdStore } from './systemd/fd-store.js';
import { takeListenFds } from './systemd/listen-fds.js';

export interface InheritedResources {
  readonly activation: Activation;
  readonly store: FdStore | undefined;
  /** By name. Whoever takes them owns them. */
  readonly kept: Map<string, OwnedFd[]>;
}

/**
 * Takes its variables out of `env`, but for NOTIFY_SOCKET.
 * @throws VkmemError INVALID_ARGUMENT where they make no sense, or a socket is not what its plane needs.
 */
export function inheritResources(env: NodeJS.ProcessEnv, log: pino.Logger): InheritedResources {
  const capacity = fdStoreCapacity(env);
  const activation = new Activation(takeListenFds(env));
  const kept = new Map([...activation.others].map(([name, fds]) => [name, [...fds]]));
  const address = env.NOTIFY_SOCKET;
  if (address && capacity > 0) {
    const names = [...kept].flatMap(([name, fds]) => fds.map(() => name));
    return { activation, store: new NotifyFdStore(address, capacity, names), kept };
  }
  for (const [fdName, fds] of kept) {
    log.warn({ fdName, fds: fds.length }, 'fds that nobody here knows were passed, and are closed');
    closeAll(fds);
  }
  return { activation, store: undefined, kept: new Map() };
}
