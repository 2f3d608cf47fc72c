/**
 * Notifies the service manager of the service's state (sd_notify): datagrams of VARIABLE=value lines to
 * $NOTIFY_SOCKET.
 *
 * A socket is opened for each message, because an open one keeps the process alive.
 */
import { DatagramAddress } from './datagram.js';

export class Notifier {
  readonly #address: DatagramAddress;

  private constructor(address: DatagramAddress) {
    this.#address = address;
  }

  /**
   * The notifier for the manager that started this process; undefined without $NOTIFY_SOCKET. NOTIFY_SOCKET
   * is removed from `env`, so that no child process sends notifications for the service.
   * @throws VkmemError INVALID_ARGUMENT if the address is not supported.
   */
  static async fromEnvironment(env: NodeJS.ProcessEnv): Promise<Notifier | undefined> {
    const path = env.NOTIFY_SOCKET;
    delete env.NOTIFY_SOCKET;
    return path ? new Notifier(await DatagramAddress.load('NOTIFY_SOCKET', path)) : undefined;
  }

  /**
   * Sends one message, such as send('READY=1', 'STATUS=…'), before it returns.
   * @throws Error if the manager's socket does not receive it.
   */
  send(...assignments: string[]): void {
    const message = Buffer.from(assignments.map((line) => line.replaceAll('\n', ' ')).join('\n'));
    using socket = this.#address.open();
    socket.send(assignments[0] ?? 'an empty message', message);
  }
}
