/**
 * The PCI bus of a machine under qtest, as its firmware and a driver would use it: configuration by ports
 * 0xcf8 and 0xcfc (PCI Local Bus Specification 3.0, 3.2.2.3.2), BARs that are sized and placed at unused
 * addresses (6.2.5.1), MSI-X (6.8.2).
 */
import type { Qtest } from './qtest.js';

const ADDRESS_PORT = 0xcf8;
const DATA_PORT = 0xcfc;
const ENABLE = 0x8000_0000;
const COMMAND = 0x04;
const MEMORY_AND_MASTER = 0b110;
const STATUS_HAS_CAPABILITIES = 1 << 20;
const CAPABILITIES = 0x34;
const FIRST_BAR = 0x10;
const BAR_IS_64_BIT = 0b100;
const BAR_IS_PREFETCHABLE = 0b1000;
const MSI_X = 0x11;
const MSI_X_ENABLE = 0x8000_0000;

/** The addresses of BARs: 32-bit ones above all RAM of a test's machine, 64-bit ones above 4 GiB. */
const BELOW_4_GIB = 0xe000_0000n;
const ABOVE_4_GIB = 0x10_0000_0000n;

export interface Bar {
  /** In the guest's physical memory. */
  readonly address: bigint;
  /** In bytes. */
  readonly size: bigint;
  readonly is64Bit: boolean;
  readonly prefetchable: boolean;
}

/** A device's function 0 on bus 0. */
export class PciDevice {
  readonly slot: number;
  readonly #qtest: Qtest;

  constructor(qtest: Qtest, slot: number) {
    this.#qtest = qtest;
    this.slot = slot;
  }

  async readConfig(offset: number): Promise<number> {
    await this.#qtest.portOut(ADDRESS_PORT, 4, ENABLE + this.slot * 0x800 + offset);
    return this.#qtest.portIn(DATA_PORT, 4);
  }

  async writeConfig(offset: number, value: number): Promise<void> {
    await this.#qtest.portOut(ADDRESS_PORT, 4, ENABLE + this.slot * 0x800 + offset);
    await this.#qtest.portOut(DATA_PORT, 4, value);
  }

  /**
   * Sizes BAR `index` and assigns its address. It is mapped into the guest's memory once enable() has been
   * called.
   */
  async placeBar(index: number): Promise<Bar> {
    const offset = FIRST_BAR + 4 * index;
    await this.writeConfig(offset, 0xffff_ffff);
    const low = await this.readConfig(offset);
    const is64Bit = (low & BAR_IS_64_BIT) !== 0;
    let mask = 0xffff_ffff_0000_0000n;
    if (is64Bit) {
      await this.writeConfig(offset + 4, 0xffff_ffff);
      mask = BigInt(await this.readConfig(offset + 4)) << 32n;
    }
    const size = BigInt.asUintN(64, -(mask | BigInt((low & ~0xf) >>> 0)));
    // Each slot has an address range of its own; a BAR is aligned to its size.
    const place = is64Bit
      ? ABOVE_4_GIB * BigInt(this.slot + 1)
      : BELOW_4_GIB + BigInt(this.slot) * 0x10_0000n;
    const address = is64Bit ? place : place + BigInt(index) * 0x1_0000n;
    await this.writeConfig(offset, Number(address & 0xffff_ffffn));
    if (is64Bit) await this.writeConfig(offset + 4, Number(address >> 32n));
    return { address, size, is64Bit, prefetchable: (low & BAR_IS_PREFETCHABLE) !== 0 };
  }

  /** Enables memory access to its BARs and bus mastering, which an interrupt message needs. */
  async enable(): Promise<void> {
    await this.writeConfig(COMMAND, MEMORY_AND_MASTER);
  }

  /** The offset of a capability in the configuration; undefined where there is none with that id. */
  async capability(id: number): Promise<number | undefined> {
    if (((await this.readConfig(COMMAND)) & STATUS_HAS_CAPABILITIES) === 0) return undefined;
    let at = (await this.readConfig(CAPABILITIES)) & 0xfc;
    while (at !== 0) {
      const head = await this.readConfig(at);
      if ((head & 0xff) === id) return at;
      at = (head >>> 8) & 0xfc;
    }
    return undefined;
  }

  /** Enables MSI-X. @returns the number of vectors in its table; 0 where it has no MSI-X. */
  async enableMsix(): Promise<number> {
    const at = await this.capability(MSI_X);
    if (at === undefined) return 0;
    const head = await this.readConfig(at);
    await this.writeConfig(at, (head | MSI_X_ENABLE) >>> 0);
    return ((head >>> 16) & 0x7ff) + 1;
  }
}

/** All devices on bus 0 with these ids, in the order of their slots. */
export async function findPci(qtest: Qtest, vendor: number, device: number): Promise<PciDevice[]> {
  const found: PciDevice[] = [];
  for (let slot = 0; slot < 32; slot += 1) {
    const candidate = new PciDevice(qtest, slot);
    if ((await candidate.readConfig(0)) === ((device << 16) | vendor) >>> 0) found.push(candidate);
  }
  return found;
}
