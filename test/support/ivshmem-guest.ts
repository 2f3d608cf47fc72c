/**
 * The guest's side of QEMU's ivshmem device, as a driver would use it, in a machine under qtest: BAR 0 is
 * registers, BAR 1 the MSI-X table, BAR 2 the shared memory.
 *
 * Interrupts are really delivered, and are visible without a processor: an MSI-X message is a write to
 * memory, and the table makes each vector write to a word of the guest's RAM that the test reads. Neither the
 * test nor a driver can count the rings of a vector: an eventfd adds up the rings until it is read.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Bar, findPci, type PciDevice } from './pci.js';
import type { Qemu } from './qemu.js';
import type { Qtest } from './qtest.js';
import { until } from './supervised-daemon.js';

export const IVSHMEM_VENDOR = 0x1af4;
export const IVSHMEM_DEVICE = 0x1110;

/** Registers in BAR 0. */
const IV_POSITION = 8n;
const DOORBELL = 12n;
/** An entry of the MSI-X table: address, upper address, data, mask. */
const ENTRY_BYTES = 16n;
/**
 * Address in the guest's RAM of the words that interrupts write, for each slot. The firmware, which does not
 * run, uses no memory there.
 */
const WORDS_AT = 0x20_0000n;
const WORDS_EACH = 0x1000n;
const RING_AGAIN_MS = 1000;
const MAX_RINGS = 60;

/**
 * QEMU's arguments for a device that connects to a server's socket.
 * @param id unique among the devices of the machine.
 */
export function ivshmemArguments(path: string, vectors: number, id = 'ivshmem0'): string[] {
  const device = `ivshmem-doorbell,id=${id},vectors=${vectors},chardev=${id}-server`;
  return ['-chardev', `socket,id=${id}-server,path=${path}`, '-device', device];
}

export class IvshmemGuest {
  readonly pci: PciDevice;
  /** The number of interrupt vectors. */
  readonly vectors: number;
  readonly registers: Bar;
  /** BAR 2: the shared memory. */
  readonly memory: Bar;
  readonly #qtest: Qtest;

  private constructor(qtest: Qtest, pci: PciDevice, bars: readonly [Bar, Bar], vectors: number) {
    this.#qtest = qtest;
    this.pci = pci;
    [this.registers, this.memory] = bars;
    this.vectors = vectors;
  }

  /** The ivshmem devices of the machine, each with its BARs mapped and interrupts enabled. */
  static async all(machine: Qemu): Promise<IvshmemGuest[]> {
    const guests: IvshmemGuest[] = [];
    for (const pci of await findPci(machine.qtest, IVSHMEM_VENDOR, IVSHMEM_DEVICE)) {
      guests.push(await IvshmemGuest.#open(machine.qtest, pci));
    }
    return guests;
  }

  /** The only ivshmem device of the machine. */
  static async of(machine: Qemu): Promise<IvshmemGuest> {
    const [guest, ...others] = await IvshmemGuest.all(machine);
    if (!guest || others.length > 0)
      throw new Error(`the machine has ${others.length + 1} ivshmem devices, or none`);
    return guest;
  }

  static async #open(qtest: Qtest, pci: PciDevice): Promise<IvshmemGuest> {
    const registers = await pci.placeBar(0);
    const table = await pci.placeBar(1);
    const memory = await pci.placeBar(2);
    await pci.enable();
    const vectors = await pci.enableMsix();
    const guest = new IvshmemGuest(qtest, pci, [registers, memory], vectors);
    for (let vector = 0; vector < vectors; vector += 1) {
      const entry = table.address + ENTRY_BYTES * BigInt(vector);
      const word = guest.#word(vector);
      await qtest.write32(word, 0);
      await qtest.write64(entry, word);
      await qtest.write32(entry + 8n, vector + 1);
      await qtest.write32(entry + 12n, 0);
    }
    return guest;
  }

  #word(vector: number): bigint {
    return WORDS_AT + WORDS_EACH * BigInt(this.pci.slot) + 4n * BigInt(vector);
  }

  /** The peer id of this device. */
  position(): Promise<number> {
    return this.#qtest.read32(this.registers.address + IV_POSITION);
  }

  /**
   * Rings a peer until it received the interrupt. QEMU ignores a ring, and reports nothing, while it has not
   * read from the server that there is such a peer: a machine learns of a peer later than the peer itself.
   * @param received settles when the peer received it.
   */
  async ring<T>(peer: number, vector: number, received: Promise<T>): Promise<T> {
    const ended = Symbol('ended');
    const settled = received.then(() => ended);
    settled.catch(() => {}); // The race reports it, or the owner of `received`.
    for (let rings = 0; rings < MAX_RINGS; rings += 1) {
      await this.#qtest.write32(this.registers.address + DOORBELL, ((peer << 16) | vector) >>> 0);
      const wait = new AbortController();
      const first = await Promise.race([
        settled,
        sleep(RING_AGAIN_MS, undefined, { signal: wait.signal }).catch(() => {}),
      ]);
      wait.abort();
      if (first === ended) return received;
    }
    throw new Error(`peer ${peer} received no interrupt of vector ${vector}`);
  }

  /** Whether the vector's interrupt arrived since it was last cleared. */
  async arrived(vector: number): Promise<boolean> {
    return (await this.#qtest.read32(this.#word(vector))) === vector + 1;
  }

  /** Waits for a vector's interrupt and clears it. */
  async interrupt(vector: number): Promise<void> {
    await until(`an interrupt of vector ${vector}`, async () => (await this.arrived(vector)) || undefined);
    await this.#qtest.write32(this.#word(vector), 0);
  }

  /** Bytes of the shared memory. */
  read(offset: bigint, length: number): Promise<Buffer> {
    return this.#qtest.read(this.memory.address + offset, length);
  }

  async write(offset: bigint, bytes: Uint8Array): Promise<void> {
    await this.#qtest.write(this.memory.address + offset, bytes);
  }
}
