/**
 * vkmemctl alloc: creates a NAMED allocation, which workers claim.
 */
import {
  type Allocation,
  DEDICATION_NAMES,
  flagNames,
  type KindName,
  type PropertyFlagName,
  type SharingName,
} from '@vkmemd/proto';
import type { Command } from 'commander';
import { checkWord } from '../request/arguments.js';
import type { IfExists } from '../request/if-exists.js';
import type { AllocateOptions } from '../request/requests.js';
import { allocationObject, pagesText } from './allocation.js';
import { actionOf, newCommand } from './command.js';
import { humanBytes, short, wrap } from './format.js';
import { type HintWords, hintsText, parseHints } from './hints.js';
import { parseImage } from './image.js';
import { parseNumber, parseSize } from './size.js';

const DESCRIPTION = `Create a NAMED allocation. It needs no client and exists until it is freed.

Other processes of the same user claim it by its name. SIZE is in bytes, or has the unit K, M, G or T (KiB,
MiB, GiB, TiB); it is rounded up to whole pages. Specify every kind that will be claimed.

By default the daemon chooses the best memory type that the kinds allow. Property flags (such as DEVICE_LOCAL,
HOST_VISIBLE, HOST_CACHED) restrict or influence the choice; --memory-type selects one type. With
--buffer-usage or --image the daemon queries the driver for the requirements of that resource. With --image,
--size may be omitted: the size is then what the image requires. IMAGE is a list of format=, width= and
usage=, and optionally height=, depth=, mipLevels=, arrayLayers=, samples=, flags= (all numbers of Vulkan,
decimal or 0x), type= (1D, 2D or 3D) and tiling= (OPTIMAL, LINEAR or DRM_FORMAT_MODIFIER); with the last, the
driver chooses one of drmFormatModifiers=M+M..., or any without it. 'doctor' lists the memory types.

--sharing one-writer: one session at a time may write, while others read. --sharing exclusive: one session may
write, or any number may read. An allocation with --publishable can later be made immutable with 'publish':
MAPPABLE memory, OPAQUE_FD memory, or both; for holders of an OPAQUE_FD that is advisory.

--dedicated: memory that is dedicated to a buffer or an image can have nothing else bound to it by Vulkan.
auto dedicates OPAQUE_FD memory where 'doctor' shows that its pages are larger then; never keeps it free for
any buffer; always dedicates it, without --buffer-usage or --image to a transfer buffer.

For virtual machines: --power-of-two and --align round the size up, as PCI BARs require. The other hints are
for MAPPABLE memory over a memfd: --prefault provides every page in advance; --huge-pages uses huge pages of
2M or 1G, which the host must have reserved; --reopenable allows a process that has an fd to reopen the
memory, also for writing, as QEMU's memory-backend-file does. Read-only grants of reopenable memory are
ADVISORY: the kernel does not enforce them.

--if-exists claim: if this user has an allocation of that name, the command uses it, provided that it is at
least as large and has the kinds and all other properties that the command specifies; otherwise the command
fails with NAME_TAKEN. So a script can run several times.`;

const EXAMPLES = [
  'alloc frames --size 64M --kind MAPPABLE',
  'alloc weights --size 2GiB --kind OPAQUE_FD --require DEVICE_LOCAL --forbid HOST_VISIBLE',
  'alloc staging --size 16M --prefer HOST_CACHED --buffer-usage 0x3',
  'alloc frames --size 64M --if-exists claim',
  'alloc model --size 2G --publishable --sharing one-writer',
  'alloc screen --kind OPAQUE_FD --image format=37,width=1920,height=1080,usage=0x13',
  'alloc bar --size 64M --power-of-two --prefault --reopenable',
];

interface Options extends HintWords {
  readonly size?: string;
  readonly kind?: KindName[];
  readonly require?: PropertyFlagName[];
  readonly prefer?: PropertyFlagName[];
  readonly forbid?: PropertyFlagName[];
  readonly memoryType?: string;
  readonly bufferUsage?: string;
  readonly image?: string;
  readonly sharing?: string;
  readonly publishable?: boolean;
  readonly dedicated?: string;
  readonly ifExists?: string;
}

/** Converts the value of an option to the form of the library. */
const wordOf = (word: string): string => word.toUpperCase().replaceAll('-', '_');
const upper = (word: string, before: readonly string[] = []): string[] => [...before, word.toUpperCase()];

/** The allocation as text, with its memory type and the requirements of the driver. */
function madeText(made: Allocation, created: boolean): string {
  const { memoryTypeIndex, heapIndex, memoryPropertyFlags, requirements } = made;
  const kinds = made.kinds.map((each) => short('KIND_', each)).join(',');
  const flags = flagNames(memoryPropertyFlags).join(' ') || 'no flags';
  const verb = created ? 'Allocated' : 'Existing';
  const dedicated = [made.dedicated ? 'dedicated' : 'not dedicated', pagesText(made)]
    .filter(Boolean)
    .join(', ');
  const lines = [
    `${verb} ${made.name}: ${humanBytes(made.sizeBytes)}, ${kinds}, id ${made.id}.`,
    ...wrap(`Memory type ${memoryTypeIndex} of heap ${heapIndex} (${flags}), ${dedicated}.`, 100),
  ];
  const hints = hintsText(made);
  if (hints) lines.push(`Hints: ${hints}.`);
  if (requirements) {
    const { sizeBytes, alignmentBytes, memoryTypeBits, prefersDedicated, requiresDedicated } = requirements;
    const types = flagNames(
      memoryTypeBits,
      Array.from({ length: 32 }, (_, type) => String(type)),
    ).join(' ');
    const wish = requiresDedicated
      ? 'dedicated memory required'
      : prefersDedicated && 'dedicated memory preferred';
    const needs = [`${sizeBytes} bytes`, `aligned to ${alignmentBytes}`, `memory types ${types}`, wish];
    lines.push(...wrap(`Requirements: ${needs.filter(Boolean).join(', ')}.`, 100));
  }
  return lines.join('\n');
}

export function allocCommand(): Command {
  return newCommand('alloc', DESCRIPTION, EXAMPLES)
    .summary('create a named allocation')
    .argument('<name>', "1 to 128 letters, digits, '.', '-' or '_'")
    .option('--size <size>', 'the size; required without --image')
    .option('--kind <kind>', 'MAPPABLE (default), OPAQUE_FD, DMA_BUF or RDMA_ADDRESS; may be repeated', upper)
    .option(
      '--require <flag>',
      'require this property of the memory type; may be repeated, like the next two',
      upper,
    )
    .option('--prefer <flag>', 'prefer memory types that have this property', upper)
    .option('--forbid <flag>', 'exclude memory types that have this property', upper)
    .option('--memory-type <n>', 'use this memory type')
    .option('--buffer-usage <bits>', 'allocate for a buffer: VkBufferUsageFlags, decimal or 0x')
    .option('--image <image>', 'allocate for an image: format=37,width=1920,height=1080,usage=0x13 and so on')
    .option('--sharing <who>', 'shared (default), one-writer or exclusive')
    .option('--publishable', 'allow to publish it later')
    .option('--dedicated <when>', 'auto (default), never or always: dedicate it to one buffer or image')
    .option(
      '--if-exists <what>',
      'fail (default), or claim: use the existing allocation of the name, if it fits',
    )
    .option('--power-of-two', 'round the size up to a power of two')
    .option('--align <size>', 'round the size up to a multiple of this: a power of two, at most 1G')
    .option('--prefault', 'provide every page in advance')
    .option('--huge-pages <size>', 'use huge pages of this size: 2M, 1G, or another size of the host')
    .option('--reopenable', 'allow processes that have an fd to reopen it, also for writing')
    .hook('preAction', (command) => {
      const { size, image } = command.opts<Options>();
      if (size !== undefined || image !== undefined) return;
      command.error("error: neither option '--size <size>' nor '--image <image>' was specified");
    })
    .action(
      actionOf(async ({ control, print }, [name = ''], options) => {
        const {
          size,
          kind = ['MAPPABLE'],
          memoryType,
          bufferUsage,
          image,
          sharing,
          dedicated,
        } = options as Options;
        const { publishable = false, ifExists = 'fail' } = options as Options;
        const { require: required = [], prefer: preferred = [], forbid: forbidden = [] } = options as Options;
        const hints = parseHints(options as Options);
        const wanted: AllocateOptions = {
          name,
          ...(size !== undefined && { size: parseSize(size) }),
          kinds: kind,
          lifetime: 'NAMED',
          ...(sharing !== undefined && { sharing: wordOf(sharing) as SharingName }),
          publishable,
          ...(dedicated !== undefined && {
            dedication: checkWord('--dedicated', wordOf(dedicated), DEDICATION_NAMES),
          }),
          properties: { required, preferred, forbidden },
          ...(hints && { hints }),
          ...(memoryType !== undefined && { memoryTypeIndex: parseNumber('--memory-type', memoryType) }),
          ...(bufferUsage !== undefined && { buffer: { usage: parseNumber('--buffer-usage', bufferUsage) } }),
          ...(image !== undefined && { image: parseImage(image) }),
          ifExists: ifExists.toLowerCase() as IfExists,
        };
        const { allocation, created } = await control.allocateOrFind(wanted);
        print({ allocation: allocationObject(allocation), created }, () => madeText(allocation, created));
      }),
    );
}
