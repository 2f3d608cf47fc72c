/** What the bytes of memory are, as its device and a process with a mapping see them. */
import type { Client, Memory } from '@vkmemd/client';

/** A pattern of 32-bit words, as `rdma --pattern --step` has it: word i is `first + i * step`, modulo 2^32. */
export interface Pattern {
  readonly first: number;
  readonly step: number;
}

/** What the daemon's device fills memory with. */
export const OF_DEVICE: Pattern = { first: 0x0badcafe, step: 0 };
/** What a peer writes. Each word differs from those before, so that no page can stand in for another. */
export const OF_PEER: Pattern = { first: 0x5eedc0de, step: 0x01000193 };

/** The index of the first word that is another one; undefined if all are the pattern's. */
export function firstOther(bytes: Uint8Array, { first, step }: Pattern): number | undefined {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let expected = first;
  for (let i = 0; i < words.length; i += 1) {
    if (words[i] !== expected) return i;
    expected = (expected + step) >>> 0;
  }
  return undefined;
}

/** firstOther() of what the device reads: of a copy that it makes. */
export async function firstOtherOfDevice(
  client: Client,
  memory: Memory,
  pattern: Pattern,
): Promise<number | undefined> {
  await using copy = await client.allocate({ size: memory.size });
  await client.transfer({ copy: { from: memory, to: copy } });
  using map = copy.map();
  return firstOther(map.bytes, pattern);
}
