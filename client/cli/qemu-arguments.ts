/**
 * QEMU's options for memory that it opens by /proc/self/fd, in every form that a guest can see it in.
 *
 * As QEMU 7.2 takes them: options that come twice are joined, so these come behind the user's own and change nothing of
 * them. Guest RAM needs no -m, whose default is the backend's size, but where that says maxmem. What is plugged in beside it
 * needs -m with slots and maxmem, which is worked out here unless the user's own -m says it.
 */
import { VkmemError } from '@vkmemd/proto';

/** The ways a guest can see memory, and whether it may write there. */
export const FORMS = {
  ram: { access: 'rw', plugged: false, machine: '' },
  dimm: { access: 'rw', plugged: true, machine: '' },
  pmem: { access: 'rw', plugged: true, machine: '' },
  'nvdimm-ro': { access: 'ro', plugged: true, machine: 'nvdimm=on' },
  ivshmem: { access: 'rw', plugged: false, machine: '' },
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

/** Properties of the backend, in the order in which people write them. */
export function backendOf({ form, id, fd, size }: Given): Record<string, string | number | bigint | boolean> {
  const properties = { id, 'mem-path': `/proc/self/fd/${fd}`, size, share: true };
  return FORMS[form].access === 'ro' ? { ...properties, readonly: true } : properties;
}

/** Properties of the device, which guest RAM has none of; the first is what -device begins with. */
export function deviceOf(form: Form, memdev: string, id: string): Record<string, string | boolean> {
  const drivers = {
    dimm: 'pc-dimm',
    pmem: 'virtio-pmem-pci',
    'nvdimm-ro': 'nvdimm',
    ivshmem: 'ivshmem-plain',
  };
  if (form === 'ram') throw new Error('guest RAM is no device');
  const device = { driver: drivers[form], memdev, id };
  return form === 'nvdimm-ro' ? { ...device, unarmed: true } : device;
}

/**
 * That QEMU survives it: of a BAR of another size it only says so once it aborts, also in a machine that runs.
 * @throws VkmemError SIZE_NOT_POWER_OF_TWO.
 */
export function requireFit(form: Form, name: string, size: bigint): void {
  if (form !== 'ivshmem' || (size & (size - 1n)) === 0n) return;
  throw new VkmemError('SIZE_NOT_POWER_OF_TWO', `${name} has ${size} bytes.`, { size_bytes: String(size) });
}

const written = (properties: Record<string, unknown>): string =>
  Object.entries(properties)
    .map(([key, value]) => `${key}=${value === true ? 'on' : String(value)}`)
    .join(',');

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
    ...given.flatMap((each) => ['-object', `memory-backend-file,${written(backendOf(each))}`]),
    ...(machine.length > 0 ? ['-machine', [...new Set(machine)].join(',')] : []),
    ...roomFor(given, own),
    ...given.flatMap(({ form, id }) => {
      if (form === 'ram') return [];
      const { driver, ...properties } = deviceOf(form, id, `${id}-device`);
      return ['-device', `${driver},${written(properties)}`];
    }),
  ];
}

const DEFAULT_RAM = 128n << 20n;
const UNITS = 'BKMGT';
/** Whether -m says how much RAM there is. */
const SIZED = /(^|,)(size=)?\d/;

function roomFor(given: readonly Given[], own: readonly string[]): string[] {
  const plugged = given.filter(({ form }) => FORMS[form].plugged);
  const said = own.filter((_, at) => /^--?m$/.test(own[at - 1] ?? '')).join(',');
  const ram = given.find(({ form }) => form === 'ram')?.size;
  const size = ram !== undefined && !SIZED.test(said) ? [`size=${ram}B`] : [];
  if (said.includes('maxmem=')) return size.length > 0 ? ['-m', ...size] : [];
  if (plugged.length === 0) return [];
  const most = plugged.reduce((sum, { size }) => sum + size, ram ?? ramOf(said));
  return ['-m', [...size, `slots=${plugged.length}`, `maxmem=${most}B`].join(',')];
}

/** Bytes, as -m says them: MiB without a unit. */
function ramOf(said: string): bigint {
  if (said === '') return DEFAULT_RAM;
  const [, count, unit = 'M'] = /^(?:size=)?(\d{1,12})([BKMGT]?)(?:,|$)/i.exec(said) ?? [];
  if (count === undefined)
    throw new VkmemError('INVALID_ARGUMENT', `-m ${said}: say slots and maxmem there, too.`, { field: '-m' });
  return BigInt(count) << BigInt(10 * UNITS.indexOf((unit || 'M').toUpperCase()));
}
