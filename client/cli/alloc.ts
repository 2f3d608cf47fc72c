/**
 * vkmemctl alloc: makes a NAMED allocation, for workers to claim.
 */
import type { KindName } from '@vkmemd/proto';
import type { Command } from 'commander';
import { allocationObject } from './allocation.js';
import { acting, newCommand } from './command.js';
import { humanBytes, short } from './format.js';
import { parseSize } from './size.js';

const DESCRIPTION = `Make an allocation that stays, without any client, until it is freed.

Other processes of the same user claim it by its name. SIZE is in bytes, or with K, M, G or T (KiB, MiB, GiB, TiB);
it is rounded up to whole pages. Name every kind that it shall ever be claimed as.`;

const EXAMPLES = [
  'alloc frames --size 64M --kind MAPPABLE',
  'alloc weights --size 2GiB --kind MAPPABLE --kind OPAQUE_FD',
];

const upper = (kind: string, before: readonly string[] = []): string[] => [...before, kind.toUpperCase()];

export function allocCommand(): Command {
  return newCommand('alloc', DESCRIPTION, EXAMPLES)
    .summary('make a named allocation')
    .argument('<name>', "1 to 128 letters, digits, '.', '-' or '_'")
    .requiredOption('--size <size>', 'how many bytes')
    .option('--kind <kind>', 'MAPPABLE (default), OPAQUE_FD, DMA_BUF or RDMA_ADDRESS; may be repeated', upper)
    .action(
      acting(async ({ control, print }, [name = ''], options) => {
        const { size, kind = ['MAPPABLE'] } = options as { size: string; kind?: KindName[] };
        const made = await control.allocate({ name, size: parseSize(size), kinds: kind, lifetime: 'NAMED' });
        print({ allocation: allocationObject(made) }, () => {
          const kinds = made.kinds.map((each) => short('KIND_', each)).join(',');
          return `Allocated ${made.name}: ${humanBytes(made.sizeBytes)}, ${kinds}, id ${made.id}.`;
        });
      }),
    );
}
