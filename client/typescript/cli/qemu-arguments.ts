/**
 * QEMU's options for memory that it opens by /proc/self/fd, in each form in which a guest can see it.
 *
 * QEMU 7.2 merges options that occur twice, so these options are appended to the user's own, which stay in
 * effect. Guest RAM does not require -m, whose default is the size of the backend, except if -m has maxmem. A
 * memory device requires -m with slots and maxmem, which are computed here unless the user's -m has them.
 */
import { VkmemError } from '@vkmemd/proto';
import { backendProperties, deviceProperties, fits, written } from '../vm/qemu-options.js';

/**
 * The forms in which a guest can see memory: the guest's access, the device (RAM has none), whether that is a
 * memory device, and the -machine option that it requires.
 */
export const FORMS = {
  ram: { access: 'rw', device: undefined, memoryDevice: false, machine: '' },
  dimm: { access: 'rw', device: 'pc-dimm', memoryDevice: true, machine: '' },
  pmem: { access: 'rw', device: 'virtio-pmem-pci', memoryDevice: true, machine: '' },
  'nvdimm-ro': { access: 'ro', device: 'nvdimm', memoryDevice: true, machine: 'nvdimm=on' },
  ivshmem: { access: 'rw', device: 'ivshmem-plain', memoryDevice: false, machine: '' },
} as const;
export type Form = keyof typeof FORMS;

/** One allocation for QEMU. */
export interface Given {
  readonly form: Form;
  /** The id of the backend, and the prefix of the device's id. */
  readonly id: string;
  /** The number of the fd in QEMU's process. */
  readonly fd: number;
  /** Bytes. */
  readonly size: bigint;
}

/**
 * Checks that the memory fits the form. QEMU aborts, also a running machine, for a BAR whose size is not a
 * power of two.
 * @throws VkmemError SIZE_NOT_POWER_OF_TWO.
 */
export function requireFit(form: Form, name: string, size: bigint): void {
  const { device, access } = FORMS[form];
  if (!device || fits(device, size, access)) return;
  throw new VkmemError(
    'SIZE_NOT_POWER_OF_TWO',
    `${name} has ${size} bytes; ${device} requires a power of two.`,
    { size_bytes: String(size) },
  );
}

/**
 * The options to append to the user's own.
 * @param own The user's options.
 * @throws VkmemError INVALID_ARGUMENT if -m is required and cannot be parsed.
 */
export function qemuArguments(given: readonly Given[], own: readonly string[]): string[] {
  const machine = given.flatMap(({ form, id }) => [
    ...(form === 'ram' ? [`memory-backend=${id}`] : []),
    ...(FORMS[form].machine ? [FORMS[form].machine] : []),
  ]);
  return [
    ...given.flatMap(({ form, id, fd, size }) => {
      const { access } = FORMS[form];
      return ['-object', `memory-backend-file,${written(backendProperties(id, fd, { size, access }))}`];
    }),
    ...(machine.length > 0 ? ['-machine', [...new Set(machine)].join(',')] : []),
    ...roomFor(given, own),
    ...given.flatMap(({ form, id }) => {
      const { device, access } = FORMS[form];
      if (!device) return [];
      return ['-device', `${device},${written(deviceProperties(device, `${id}-dev`, id, access))}`];
    }),
  ];
}

const DEFAULT_RAM = 128n << 20n;
const UNITS = 'BKMGT';
/** Matches a -m that has the size of the RAM. */
const SIZED = /(^|,)(size=)?\d/;

function roomFor(given: readonly Given[], own: readonly string[]): string[] {
  const memoryDevices = given.filter(({ form }) => FORMS[form].memoryDevice);
  const text = own.filter((_, at) => /^--?m$/.test(own[at - 1] ?? '')).join(',');
  const ram = given.find(({ form }) => form === 'ram')?.size;
  const size = ram !== undefined && !SIZED.test(text) ? [`size=${ram}B`] : [];
  if (text.includes('maxmem=')) return size.length > 0 ? ['-m', ...size] : [];
  if (memoryDevices.length === 0) return [];
  const max = memoryDevices.reduce((sum, { size }) => sum + size, ram ?? ramOf(text));
  return ['-m', [...size, `slots=${memoryDevices.length}`, `maxmem=${max}B`].join(',')];
}

/** Parses the size in -m, in bytes. Without a unit it is in MiB. */
function ramOf(text: string): bigint {
  if (text === '') return DEFAULT_RAM;
  const [, count, unit = 'M'] = /^(?:size=)?(\d{1,12})([BKMGT]?)(?:,|$)/i.exec(text) ?? [];
  if (count === undefined)
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `-m ${text}: the size cannot be parsed.`,
      { field: '-m' },
      undefined,
      'Write a size such as -m 4G, or add slots and maxmem to -m.',
    );
  return BigInt(count) << BigInt(10 * UNITS.indexOf((unit || 'M').toUpperCase()));
}
