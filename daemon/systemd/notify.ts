/**
 * Tells systemd how the service is (sd_notify): datagrams of VARIABLE=value lines to $NOTIFY_SOCKET.
 *
 * unix-dgram sends them. It keeps the process alive while its socket is open, so that is opened for each message.
 */
import { requireAddress } from './address.js';

type Dgram = typeof import('unix-dgram').default;

export class Notifier {
  readonly #path: string;
  readonly #dgram: Dgram;

  private constructor(path: string, dgram: Dgram) {
    this.#path = path;
    this.#dgram = dgram;
  }

  /**
   * The notifier of the manager that started this process; undefined where nobody asked to be told.
   * NOTIFY_SOCKET is removed from `env`, so that no child speaks for the service.
   * @throws Error where the address is one that cannot be reached.
   */
  static async fromEnvironment(env: NodeJS.ProcessEnv): Promise<Notifier | undefined> {
    const path = env.NOTIFY_SOCKET;
    delete env.NOTIFY_SOCKET;
    if (!path) return undefined;
    requireAddress('NOTIFY_SOCKET', path);
    // Its binary fits one version of Node.js only: loaded where it is needed, it can hinder nobody else.
    return new Notifier(path, (await import('unix-dgram')).default);
  }

  /**
   * Sends one message, such as send('READY=1', 'STATUS=…'). Sent when it returns.
   * @throws Error where the manager's socket does not take it.
   */
  send(...assignments: string[]): void {
    const message = Buffer.from(assignments.map((line) => line.replaceAll('\n', ' ')).join('\n'));
    const socket = this.#dgram.createSocket('unix_dgram');
    try {
      let failure: Error | undefined;
      socket.send(message, 0, message.length, this.#path, (error) => {
        failure = error;
      });
      if (failure) throw new Error(`${this.#path} did not take ${assignments[0]}`, { cause: failure });
    } finally {
      socket.close();
    }
  }
}
