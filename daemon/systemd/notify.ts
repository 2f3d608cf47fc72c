/**
 * Notifies the service manager of the service's state (sd_notify): datagrams of VARIABLE=value lines to
 * $NOTIFY_SOCKET, which is a path, or '@' and an abstract name.
 */
import { DatagramSender, VkmemError } from '@vkmemd/proto/kernel';

/**
 * The address in $NOTIFY_SOCKET; undefined without one, or for one that only a manager outside of this virtual
 * machine has (vsock).
 */
export function notifyAddress(env: NodeJS.ProcessEnv): string | undefined {
  const address = env.NOTIFY_SOCKET;
  return address?.startsWith('vsock') ? undefined : address || undefined;
}

export class Notifier {
  readonly #address: string;

  private constructor(address: string) {
    this.#address = address;
  }

  /**
   * The notifier for the manager that started this process; undefined without an address. NOTIFY_SOCKET is
   * removed from `env`, so that no child process sends notifications for the service.
   * @throws VkmemError INVALID_ARGUMENT if the address is neither a path nor an abstract name.
   */
  static fromEnvironment(env: NodeJS.ProcessEnv): Notifier | undefined {
    const address = notifyAddress(env);
    delete env.NOTIFY_SOCKET;
    if (address === undefined) return undefined;
    if (!/^[/@]/.test(address)) {
      const wrong = `NOTIFY_SOCKET: ${address} is neither an absolute path nor an abstract name.`;
      const reason = `${wrong} The process that started vkmemd has set it.`;
      const next = 'Correct it there, or start vkmemd without the variable.';
      throw new VkmemError('INVALID_ARGUMENT', reason, {}, undefined, next);
    }
    new DatagramSender(address, 'NOTIFY_SOCKET').close();
    return new Notifier(address);
  }

  /**
   * Sends one message, such as send('READY=1', 'STATUS=…'), before it returns. It never waits.
   * @throws Error if the manager's socket does not receive it, or its queue is full.
   */
  send(...assignments: string[]): void {
    const message = Buffer.from(assignments.map((line) => line.replaceAll('\n', ' ')).join('\n'));
    const what = `${this.#address} did not receive ${assignments[0] ?? 'an empty message'}`;
    using sender = new DatagramSender(this.#address);
    let sent: boolean;
    try {
      sent = sender.send(message);
    } catch (cause) {
      throw new Error(`${what}: ${cause instanceof VkmemError ? cause.reason : String(cause)}`, { cause });
    }
    if (!sent) throw new Error(`${what}: its queue is full; the service manager does not read it.`);
  }
}
