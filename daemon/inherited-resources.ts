/**
 * Resources that this process inherits from the service manager that started it: the sockets that the manager
 * listens on for the daemon, and an fd store with the fds that earlier daemons stored. Without an fd store
 * all memory is freed when this process ends.
 */
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import type { pino } from 'pino';
import type { FdStore } from './store/fd-store.js';
import { Activation } from './systemd/activation.js';
import { fdStoreCapacity, NotifyFdStore } from './systemd/fd-store.js';
import { inheritListenFds } from './systemd/listen-fds.js';
import { notifyAddress } from './systemd/notify.js';

export interface InheritedResources extends Disposable {
  readonly activation: Activation;
  readonly store: FdStore | undefined;
  /** The stored fds by name; empty without an fd store. Disposing closes those that are still open. */
  readonly storedFds: Map<string, OwnedFd[]>;
}

/**
 * Removes the manager's variables from `env`, except NOTIFY_SOCKET.
 * @throws VkmemError INVALID_ARGUMENT where a variable is invalid, or a socket does not match its plane.
 */
export function inheritResources(env: NodeJS.ProcessEnv, log: pino.Logger): InheritedResources {
  const capacity = fdStoreCapacity(env);
  const activation = new Activation(inheritListenFds(env, process.pid, (what) => log.warn(what)));
  const storedFds = new Map([...activation.others].map(([name, fds]) => [name, [...fds]]));
  const address = notifyAddress(env);
  if (address && capacity > 0) {
    const names = [...storedFds].flatMap(([name, fds]) => fds.map(() => name));
    const store = new NotifyFdStore(address, capacity, names, (what) => log.warn(what));
    const dispose = () => {
      store.close();
      for (const fds of storedFds.values()) closeAll(fds);
      activation[Symbol.dispose]();
    };
    return { activation, store, storedFds, [Symbol.dispose]: dispose };
  }
  for (const [fdName, fds] of storedFds) {
    log.warn({ fdName, fds: fds.length }, 'the service manager passed fds with an unknown name: closed');
    closeAll(fds);
  }
  const dispose = () => activation[Symbol.dispose]();
  return { activation, store: undefined, storedFds: new Map(), [Symbol.dispose]: dispose };
}
