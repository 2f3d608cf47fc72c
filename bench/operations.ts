/**
 * What is measured: each operation as a user performs it, from the request until nothing of it is left.
 *
 * claim          client library: claim NAMED memory by name, map it, write its first byte, release it
 * wireClaim      the same by wire.ts, to see what the library costs
 * allocate       client library: allocate SESSION memory with its grant, map it, write its first byte, free it
 * grpcAllocate   control plane: Allocate NAMED memory, without a grant, and FreeAllocation
 *
 * All memory is MAPPABLE and of the same size. Each operation has a connection of its own. A cycle ends when
 * its last request is answered; an operation whose last message is not answered must ask for something that is
 * answered only afterwards, so that no cycle leaves work to the next sample.
 */
import { type Client, type ControlClient, connect, connectControl, type Memory } from '@vkmemd/client';
import type { FloorMode } from './floor.js';
import { Wire } from './wire.js';

export const OPERATIONS = ['claim', 'wireClaim', 'allocate', 'grpcAllocate'] as const;
export type OperationName = (typeof OPERATIONS)[number];

/** The floor that each is compared with. */
export const FLOOR_OF: Readonly<Record<OperationName, FloorMode>> = {
  claim: 'claim',
  wireClaim: 'claim',
  allocate: 'allocate',
  grpcAllocate: 'allocate',
};

/** The allocation that is claimed. */
const NAME = 'bench';

function writeFirstByte(memory: Memory): void {
  memory.map().bytes[0] = 1;
}

export class Operations implements AsyncDisposable {
  readonly #bytes: number;
  readonly #owner: Client;
  readonly #client: Client;
  readonly #wire: Wire;
  readonly #control: ControlClient;
  readonly #claimed: Memory;
  #made = 0;

  private constructor(
    bytes: number,
    owner: Client,
    client: Client,
    wire: Wire,
    claimed: Memory,
    dir: string,
  ) {
    this.#bytes = bytes;
    this.#owner = owner;
    this.#client = client;
    this.#wire = wire;
    this.#claimed = claimed;
    this.#control = connectControl({ runtimeDir: dir });
  }

  /** Connects, and makes what is claimed. @param bytes of every memory. */
  static async open(runtimeDir: string, bytes: number): Promise<Operations> {
    const owner = await connect({ runtimeDir, clientName: 'bench owner' });
    const claimed = await owner.allocate({ size: bytes, name: NAME });
    const client = await connect({ runtimeDir, clientName: 'bench' });
    return new Operations(bytes, owner, client, await Wire.open(runtimeDir), claimed, runtimeDir);
  }

  /** Performs one, `cycles` times, back to back. @returns microseconds of each, and of all together. */
  async perform(name: OperationName, cycles: number): Promise<{ latencies: number[]; total: number }> {
    const cycle = this.#cycles[name];
    const times = new BigUint64Array(cycles + 1);
    times[0] = process.hrtime.bigint();
    for (let i = 1; i <= cycles; i += 1) {
      await cycle();
      times[i] = process.hrtime.bigint();
    }
    const since = (from: number, to: number) => Number((times[to] ?? 0n) - (times[from] ?? 0n)) / 1000;
    const latencies = Array.from({ length: cycles }, (_, index) => since(index, index + 1));
    return { latencies, total: since(0, cycles) };
  }

  /** Frees what was claimed and ends every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#claimed.free();
    this.#wire[Symbol.dispose]();
    await Promise.all([this.#client.close(), this.#owner.close(), this.#control.close()]);
  }

  readonly #cycles: Readonly<Record<OperationName, () => Promise<void>>> = {
    claim: async () => {
      const memory = await this.#client.claim({ name: NAME });
      writeFirstByte(memory);
      await memory.release();
    },
    wireClaim: () => this.#wire.claim(NAME),
    allocate: async () => {
      const memory = await this.#client.allocate({ size: this.#bytes });
      writeFirstByte(memory);
      const { freed } = await memory.free();
      if (!freed) throw new Error('freed memory is still held');
    },
    grpcAllocate: async () => {
      this.#made += 1;
      const { id } = await this.#control.allocate({ size: this.#bytes, name: `${NAME}-${this.#made}` });
      const { freed } = await this.#control.free({ id });
      if (!freed) throw new Error('freed memory is still held');
    },
  };
}
