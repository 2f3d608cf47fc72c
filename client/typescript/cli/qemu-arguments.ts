/**
 * QEMU's options for memory that it opens by /proc/self/fd, in every form that a guest can see it in.
 *
 * As QEMU 7.2 takes them: options that come twice are joined, so these come behind the user's own and change
 * nothing of them. Guest RAM needs no -m, whose default is the backend's size, but where that says maxmem. A
 * memory device beside it needs -m with slots and maxmem, which is worked out here unless the user's own -m
 * says it.
 */
import { VkmemError } from '@vkmemd/proto';
import { backendProperties, deviceProperties, fits, written } from '../vm/qemu-options.js';

/**
 * The ways a guest can see memory, the device for it, which RAM has none of, and whether the guest may write
 * there.
 */
export const FORMS = {
  ram: { access: 'rw', device: undefined, memoryDevice: false, machine: '' },
  dimm: { access: 'rw', device: 'pc-dimm', memoryDevice: true, machine: '' },
  pmem: { access: 'rw', device: 'virtio-pmem-pci', memoryDevice: true, machine: '' },
  'nvdimm-ro': { access: 'ro', device: 'nvdimm', memoryDevice: true, machine: 'nvdimm=on' },
  ivshmem: { access: 'rw', device: 'ivshmem-plain', memoryDevice: false, machine: '' },
} as const;
export type Form = keyof typeof FORMS;

/** One memory that QEMU is given. */
export interface Given {
  readonly form: Form;
  /** Of the backend, and the first part of the device's. */
  readonly id: string;
  /** As QEMU opens it, and how many bytes it has. */
  readonly fd: number;
  readonly size: bigint;
}

/**
 * That QEMU survives it: of a BAR of another size it only says so once it aborts, also in a machine that
 * runs.
 * @throws VkmemError SIZE_NOT_POWER_OF_TWO.
 */
export function requireFit(form: Form, name: string, size: bigint): void {
  const { device, access } = FORMS[form];
  if (!device || fits(device, size, access)) return;
  throw new VkmemError('SIZE_NOT_POWER_OF_TWO', `${name} has ${size} bytes.`, { size_bytes: String(size) });
}

/**
 * What comes behind the user's own options.
 * @param own these. @throws VkmemError INVALID_ARGUMENT where -m must be known and cannot be read.
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
/** Whether -m says how much RAM there is. */
const SIZED = /(^|,)(size=)?\d/;

function roomFor(given: readonly Given[], own: readonly string[]): string[] {
  const memoryDevices = given.filter(({ form }) => FORMS[form].memoryDevice);
  const said = own.filter((_, at) => /^--?m$/.test(own[at - 1] ?? '')).join(',');
  const ram = given.find(({ form }) => form === 'ram')?.size;
  const size = ram !== undefined && !SIZED.test(said) ? [`size=${ram}B`] : [];
  if (said.includes('maxmem=')) return size.length > 0 ? ['-m', ...size] : [];
  if (memoryDevices.length === 0) return [];
  const max = memoryDevices.reduce((sum, { size }) => sum + size, ram ?? ramOf(said));
  return ['-m', [...size, `slots=${memoryDevices.length}`, `maxmem=${max}B`].join(',')];
}

/** Bytes, as -m says them: MiB without a unit. */
function ramOf(said: string): bigint {
  if (said === '') return DEFAULT_RAM;
  const [, count, unit = 'M'] = /^(?:size=)?(\d{1,12})([BKMGT]?)(?:,|$)/i.exec(said) ?? [];
  if (count === undefined)
    throw new VkmemError('INVALID_ARGUMENT', `-m ${said}: say slots and maxmem there, too.`, { field: '-m' });
  return BigInt(count) << BigInt(10 * UNITS.indexOf((unit || 'M').toUpperCase()));
}
