/**
 * The handoff socket without the client library: the codec, the socket and mmap, one request at a time.
 *
 * The difference to the same operation by the library is what the library costs.
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  type Connection,
  connectSeqpacket,
  type Decoded,
  type Draft,
  decode,
  encode,
  errorOf,
  HANDOFF_SOCKET,
  MAX_MESSAGE_FDS,
  mapFd,
  type OwnedFd,
  PROTOCOL_VERSION,
  VkmemError,
} from '@vkmemd/proto';

interface Answer {
  readonly message: Decoded<'ServerMessage'>;
  readonly fds: OwnedFd[];
}

/** Until another attempt. */
const RETRY_MS = 1;

/** Whether the kernel's queue of connections is full: another attempt may succeed. */
export const isQueueFull = (failure: unknown): boolean =>
  failure instanceof VkmemError && failure.metadata.errno === 'EAGAIN';

export class Wire implements Disposable {
  readonly #connection: Connection;
  #sequence = 0n;
  #answer: { resolve(answer: Answer): void; reject(reason: Error): void } | undefined;

  private constructor(runtimeDir: string) {
    const handlers = {
      message: (data: Buffer, fds: OwnedFd[]) => {
        this.#answer?.resolve({ message: decode('ServerMessage', data), fds });
      },
      close: () => this.#answer?.reject(new Error('the daemon closed the connection')),
    };
    this.#connection = connectSeqpacket(join(runtimeDir, HANDOFF_SOCKET), handlers, {
      maxFds: MAX_MESSAGE_FDS,
    });
  }

  /** Connects and says Hello. */
  static async open(runtimeDir: string): Promise<Wire> {
    const wire = new Wire(runtimeDir);
    await wire.#ask({ hello: { protocolVersion: PROTOCOL_VERSION, clientName: 'bench wire' } });
    return wire;
  }

  /** The same, as often as it takes while the queue of connections is full. */
  static async openPatiently(runtimeDir: string): Promise<Wire> {
    for (;;) {
      try {
        return await Wire.open(runtimeDir);
      } catch (failure) {
        if (!isQueueFull(failure)) throw failure;
        await setTimeout(RETRY_MS);
      }
    }
  }

  /** Claims MAPPABLE memory by name, maps it, writes its first byte, unmaps and releases it. */
  async claim(name: string): Promise<void> {
    const { message, fds } = await this.#ask({ claim: { allocation: { name }, kinds: ['KIND_MAPPABLE'] } });
    const [grant] = message.claim?.grants ?? [];
    const [fd] = fds;
    if (!grant || !fd) throw new Error('the claim was answered without a grant');
    const mapping = mapFd(fd, {
      offset: grant.mapOffsetBytes,
      length: Number(grant.mapSizeBytes),
      access: 'rw',
    });
    new Uint8Array(mapping.buffer)[0] = 1;
    mapping.unmap();
    fd.close();
    await this.#ask({ release: { grantId: grant.id } });
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  async #ask(body: Draft<'ClientMessage'>): Promise<Answer> {
    this.#sequence += 1n;
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#answer = { resolve, reject };
    });
    this.#connection.send(encode('ClientMessage', { ...body, sequence: this.#sequence, fdCount: 0 }));
    const { message, fds } = await answer;
    if (message.error) throw errorOf(message.error);
    return { message, fds };
  }
}
