/** Fills and copies: offsets, and windows smaller than the range. */
import t from 'tap';
import { Device, type DeviceMemory } from 'vkmemd/dist/vulkan/device.js';
import { dispose, make, needsLavapipe, readAny, readMappable, writeMappable } from './support.js';

const SIZE = 1 << 20;
const WINDOW = 65_536;

/** Bytes whose values depend on their offset. */
function numbered(): Buffer {
  const words = Uint32Array.from({ length: SIZE / 4 }, (_, index) => index ^ 0x5a5a5a5a);
  return Buffer.from(words.buffer);
}

if (needsLavapipe) t.plan(0, needsLavapipe);
else {
  const device = await Device.open(undefined, { window: BigInt(WINDOW) });
  t.teardown(() => device.close());
  const makeOf = (kind: 'MAPPABLE' | 'OPAQUE_FD'): Promise<DeviceMemory> =>
    make(device, BigInt(SIZE), [kind]);

  t.test('a fill writes only its range', async (t) => {
    for (const kind of ['MAPPABLE', 'OPAQUE_FD'] as const) {
      const memory = await makeOf(kind);
      // Starts and ends inside a page, across several windows.
      const [offset, size] = [4096 + 20, 5 * WINDOW + 12];
      await device.fill(memory, BigInt(offset), BigInt(size), 0x04030201);
      const expected = Buffer.alloc(SIZE);
      expected.fill(Buffer.of(1, 2, 3, 4), offset, offset + size);
      t.ok((await readAny(device, memory)).equals(expected), kind);
      await device.fill(memory, 0n, BigInt(SIZE), 0xffffffff);
      t.ok((await readAny(device, memory)).equals(Buffer.alloc(SIZE, 0xff)), `${kind}, all of it`);
      await dispose(memory);
    }
  });

  t.test('a copy crosses windows at any pair of offsets', async (t) => {
    const [source, middle, target] = [
      await makeOf('MAPPABLE'),
      await makeOf('OPAQUE_FD'),
      await makeOf('MAPPABLE'),
    ];
    const content = numbered();
    await writeMappable(source, (bytes) => content.copy(bytes));
    const cases: [from: number, to: number, size: number][] = [
      [0, 0, SIZE],
      [0, 0, 1],
      [WINDOW - 3, 5, 7],
      [4095, 4097, 3 * WINDOW + 1],
      [WINDOW, SIZE - 2 * WINDOW - 1, 2 * WINDOW + 1],
      [SIZE - 1, 0, 1],
    ];
    for (const [from, to, size] of cases) {
      await device.fill(middle, 0n, BigInt(SIZE), 0);
      await device.copy(source, BigInt(from), middle, BigInt(to), BigInt(size));
      await device.copy(middle, 0n, target, 0n, BigInt(SIZE));
      const expected = Buffer.alloc(SIZE);
      content.copy(expected, to, from, from + size);
      t.ok((await readMappable(target)).equals(expected), `${size} bytes from ${from} to ${to}`);
    }
    await dispose(source, middle, target);
  });

  t.test('a copy within one memory requires ranges that do not overlap', async (t) => {
    const memory = await makeOf('MAPPABLE');
    const content = numbered();
    await writeMappable(memory, (bytes) => content.copy(bytes));
    await device.copy(memory, 0n, memory, BigInt(SIZE / 2), BigInt(SIZE / 2));
    const half = content.subarray(0, SIZE / 2);
    t.ok((await readMappable(memory)).equals(Buffer.concat([half, half])));
    await t.rejects(device.copy(memory, 0n, memory, 4096n, 4097n), { code: 'INVALID_RANGE' });
    await dispose(memory);
  });

  t.test('ranges outside the memory are refused', async (t) => {
    const [memory, other] = [await makeOf('MAPPABLE'), await makeOf('OPAQUE_FD')];
    const all = BigInt(SIZE);
    const refused = { code: 'INVALID_RANGE' };
    await t.rejects(device.fill(memory, 0n, all + 4n, 0), refused);
    await t.rejects(device.fill(memory, all, 4n, 0), refused);
    await t.rejects(device.fill(memory, 0n, 0n, 0), refused);
    await t.rejects(device.fill(memory, 2n, 4n, 0), refused);
    await t.rejects(device.fill(memory, 0n, 6n, 0), refused);
    await t.rejects(device.fill(memory, 4n, 2n ** 64n - 4n, 0), refused, 'offset + size overflows');
    await t.rejects(device.copy(memory, 1n, other, 0n, all), refused);
    await t.rejects(device.copy(memory, 0n, other, 1n, all), refused);
    await t.rejects(device.copy(memory, 0n, other, 0n, 2n ** 64n - 1n), refused);
    await t.rejects(device.fill(memory, -4n, 4n, 0), TypeError);
    await t.rejects(device.fill(memory, 0n, 4n, 2 ** 32), TypeError);
    await dispose(memory, other);
    await t.rejects(device.fill(memory, 0n, 4n, 0), { code: 'NOT_FOUND' });
    await t.rejects(device.copy(memory, 0n, other, 0n, 4n), { code: 'NOT_FOUND' });
  });

  t.test('a window that is too small for a copy is refused', async (t) => {
    await t.rejects(Device.open(undefined, { window: 4096n }), { code: 'INVALID_RANGE' });
  });
}
