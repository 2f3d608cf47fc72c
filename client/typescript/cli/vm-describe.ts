/**
 * vkmemctl vm describe: shows what a backend needs to use an allocation. It claims the allocation and
 * releases it.
 */
import { flagNames, type KindName } from '@vkmemd/proto';
import type { Command } from 'commander';
import { connect } from '../connect.js';
import { type BackendObject, describeForBackend } from '../vm/backend.js';
import { type QemuOptions, qemuOptions } from '../vm/qemu-options.js';
import { UUID } from './allocation.js';
import { actionOf, newCommand } from './command.js';
import { humanBytes } from './format.js';

const DESCRIPTION = `Show what a virtualization backend needs to use an allocation: for each kind the offset
and the sizes of the fd, the cache type, the access, the UUIDs and the memory type, their form in crosvm and
rutabaga_gfx, and QEMU's options.

The command claims the allocation as a backend would, and releases it. Without --kind it shows all kinds that
the allocation was requested with and that have an fd. N in QEMU's options stands for the number of the fd
that QEMU inherits. docs/virtualization.md explains the table.`;

const EXAMPLES = [
  'vm describe bar',
  'vm describe bar --kind MAPPABLE --read-only',
  'vm describe --json 1000/bar',
];

interface Options {
  readonly kind?: KindName[];
  readonly readOnly?: boolean;
}

const upper = (word: string, before: readonly string[] = []): string[] => [...before, word.toUpperCase()];

/** The description without the fd, which is closed when it is printed. */
function shown({ fd: _fd, ...about }: BackendObject) {
  const qemu = qemuOptions(about, { fd: 'N', id: 'mem0' });
  return { about, qemu };
}
type Shown = ReturnType<typeof shown>;

function objectOf({ about, qemu }: Shown): object {
  const { rutabaga, ...rest } = about;
  const { vulkanInfo, mapInfo = null } = rutabaga;
  return {
    ...rest,
    readOnly: about.readOnly ?? null,
    deviceUuid: about.deviceUuid.text,
    driverUuid: about.driverUuid.text,
    flags: flagNames(about.memoryPropertyFlags),
    rutabaga: {
      handleType: rutabaga.handleType,
      handleTypeValue: rutabaga.handleTypeValue,
      mapInfo,
      vulkanInfo: vulkanInfo
        ? {
            memory_idx: vulkanInfo.memory_idx,
            device_id: { device_uuid: about.deviceUuid.text, driver_uuid: about.driverUuid.text },
          }
        : null,
    },
    qemu: qemu ?? null,
  };
}

function qemuLines(qemu: QemuOptions | undefined, reopenable: boolean): string[] {
  if (!qemu) return ['QEMU          cannot map this kind from an fd'];
  const lines = [`QEMU          -object ${qemu.object}`];
  for (const device of Object.values(qemu.devices)) lines.push(`              -device ${device}`);
  if (!reopenable)
    lines.push(
      '              not reopenable: works only as root, as the daemon\u2019s user, or if published',
    );
  return lines;
}

function textOf({ about, qemu }: Shown): string {
  const { rutabaga } = about;
  const mapped = about.mapSize > 0n ? `${about.mapSize} bytes at ${about.offset}` : 'cannot be mapped';
  const pages = about.hugePageBytes > 0n ? `, huge pages of ${humanBytes(about.hugePageBytes)}` : '';
  const map = rutabaga.mapInfo === undefined ? 'none' : `0x${rutabaga.mapInfo.toString(16)}`;
  const source = rutabaga.vulkanInfo ? 'VmMemorySource::Vulkan' : 'VmMemorySource::Descriptor';
  const sync = about.dmaBufSync ? ', DMA_BUF_IOCTL_SYNC around access' : '';
  const flags = flagNames(about.memoryPropertyFlags).join(' ');
  const rutabagaType = `${rutabaga.handleType} (${rutabaga.handleTypeValue})`;
  return [
    `${about.kind}, ${about.access === 'rw' ? 'read-write' : `read-only (${about.readOnly})`}`,
    `size          ${about.size} (${humanBytes(about.size)})${pages}`,
    `mmap          ${mapped}, file of ${about.fileSize}${sync}`,
    `cache type    ${about.cacheType}`,
    `memory type   ${about.memoryTypeIndex} of heap ${about.heapIndex} (${flags})`,
    `dedicated     ${about.dedicated ? 'yes' : 'no'}`,
    `device UUID   ${about.deviceUuid.text}`,
    `driver UUID   ${about.driverUuid.text}`,
    `handle type   Vulkan 0x${about.vulkanHandleType.toString(16)}, ${rutabagaType}`,
    `map_info      ${map}, ${source}`,
    ...qemuLines(qemu, about.reopenable),
  ].join('\n');
}

export function vmDescribeCommand(): Command {
  return newCommand('describe', DESCRIPTION, EXAMPLES)
    .summary('show what a backend needs to use an allocation')
    .argument('<name-or-id>', 'the allocation')
    .option('--kind <kind>', 'show this kind; may be repeated (default: all kinds)', upper)
    .option('--read-only', 'claim it for reading')
    .action(
      actionOf(async ({ control, print, place }, [name = ''], options) => {
        const { kind, readOnly = false } = options as Options;
        const ref = UUID.test(name) ? { id: name } : { name };
        const { id, name: called, kinds } = await control.get(ref);
        const all = kinds.map((each) => each.replace('KIND_', '') as KindName);
        await using client = await connect({
          ...place,
          clientName: 'vkmemctl vm describe',
          reconnectMs: 0,
        });
        await using memory = await client.claim(
          { id },
          { kinds: kind ?? all.filter((each) => each !== 'RDMA_ADDRESS'), access: readOnly ? 'ro' : 'rw' },
        );
        const objects = describeForBackend(memory);
        for (const { fd } of objects) fd.close();
        const described = objects.map(shown);
        print({ allocation: { id, name: called || null }, objects: described.map(objectOf) }, () =>
          described.map(textOf).join('\n\n'),
        );
      }),
    );
}
