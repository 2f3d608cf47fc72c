/**
 * vkmemctl vm ivshmem: offers an allocation to virtual machines as QEMU's ivshmem device.
 *
 * The daemon's socket is the one that there is; --path makes a symbolic link to it, since no daemon should make files where
 * its client says. With --fd a command gets a connection in place of a path.
 */
import { lstatSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { HANDOFF_SOCKET, runtimeDir, VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import { Handover } from '../handover.js';
import type { IvshmemServer } from '../ivshmem-calls.js';
import { UUID } from './allocation.js';
import { acting, type Context, newCommand } from './command.js';
import { humanBytes } from './format.js';
import { parseNumber } from './size.js';
import { serverObject } from './vm-ls.js';

const DESCRIPTION = `Offer an allocation to virtual machines as QEMU's ivshmem device, on a socket of the daemon.

The allocation is named by its name or its id; it is MAPPABLE and its size a power of two (alloc --power-of-two). Every peer, a machine or a
worker, is interrupted by the others through as many vectors. Who connects must own the allocation or hold a grant to write to
it. The socket is there until the allocation is freed, or 'vm stop'.

PATH becomes a symbolic link to the socket. With --fd it is not for a path: CMD takes the place of vkmemctl, with a connection of
its own, whose number stands for {fd} in its arguments; an allocation that is not offered yet is, until it is freed or stopped.`;

const EXAMPLES = [
  'vm ivshmem frames --vectors 2',
  'vm ivshmem frames --path ./frames.sock',
  'vm ivshmem frames --fd -- qemu-system-x86_64 -chardev socket,id=shm,fd={fd} -device ivshmem-doorbell,chardev=shm,vectors=1',
];

interface Options {
  readonly vectors?: string;
  readonly path?: string;
  readonly fd?: boolean;
}

const PLACE = '{fd}';

/** What QEMU's command line needs. */
function serverText(
  { allocationName, allocationId, sizeBytes, vectors, path }: IvshmemServer,
  at: string,
): string {
  const named = allocationName || allocationId;
  return [
    `Offered ${named}: ${humanBytes(sizeBytes)}, ${vectors} ${vectors === 1 ? 'vector' : 'vectors'}, at ${at || path}`,
    `  -chardev socket,id=${named},path=${at || path} -device ivshmem-doorbell,chardev=${named},vectors=${vectors}`,
  ].join('\n');
}

/** Makes the link, in place of one of ours that leads nowhere any more. @throws VkmemError INVALID_ARGUMENT. */
function link(path: string, socket: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.isSymbolicLink() && readlinkSync(path).endsWith('.sock')) rmSync(path);
  else if (there) throw new VkmemError('INVALID_ARGUMENT', `--path: ${path} exists.`, { field: 'path' });
  try {
    symlinkSync(socket, path);
  } catch (cause) {
    throw new VkmemError('INVALID_ARGUMENT', `--path: ${String(cause)}.`, { field: 'path' }, cause);
  }
}

/** Becomes the command, with a connection. Returns only by throwing. */
async function hand(context: Context, ref: string, operands: readonly string[]): Promise<never> {
  const [file = '', ...args] = operands;
  const path = join(runtimeDir(context.runtimeDir), HANDOFF_SOCKET);
  const handover = await Handover.begin(path, basename(file).slice(0, 42));
  try {
    const fd = await handover.joinIvshmem(UUID.test(ref) ? { id: ref } : { name: ref });
    const told = args.map((arg) => arg.replaceAll(PLACE, String(fd)));
    return handover.hand({ file, args: told }, true);
  } catch (failure) {
    for (const left of await handover.giveUp()) context.fail(left);
    throw failure;
  }
}

export function ivshmemCommand(): Command {
  return newCommand('ivshmem', DESCRIPTION, EXAMPLES)
    .summary("offer an allocation as QEMU's ivshmem device")
    .argument('<name-or-id>', 'the allocation')
    .argument('[cmd...]', 'with --fd: the command, and its arguments')
    .option('--vectors <n>', 'interrupt vectors, 1 to 64 (default: 1)')
    .option('--path <path>', 'make a symbolic link to the socket there')
    .option('--fd', 'run a command that inherits a connection')
    .action(
      acting(async (context, [ref = '', ...operands], options) => {
        const { vectors = '1', path, fd = false } = options as Options;
        if (fd === (operands.length === 0) || (fd && path !== undefined)) {
          const reason = fd
            ? '--fd: it takes a command, and no --path.'
            : 'A command is for --fd, behind --.';
          throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'fd' });
        }
        const { control, print } = context;
        const named = UUID.test(ref) ? { id: ref } : { name: ref };
        let server: IvshmemServer | undefined;
        try {
          server = await control.serveIvshmem(named, { vectors: parseNumber('--vectors', vectors) });
        } catch (failure) {
          const offered = failure instanceof VkmemError && failure.code === 'ALREADY_SERVED';
          if (!fd || !offered) throw failure;
        }
        if (fd) await hand(context, ref, operands);
        if (!server) return;
        if (path !== undefined) link(path, server.path);
        const { path: socket } = server;
        print({ server: { ...serverObject(server), link: path ?? null, path: socket } }, () =>
          serverText(server, path ?? ''),
        );
      }),
    );
}
