/**
 * vkmemctl vm ivshmem: offers an allocation to virtual machines as QEMU's ivshmem device.
 *
 * The socket is in the daemon's folder. --path creates a symbolic link to it, because a daemon should not
 * create files at paths that its clients choose. With --fd a command inherits a connection instead.
 */
import { existsSync, lstatSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { adviceOf, VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { ControlClient, IvshmemServer } from '../control.js';
import type { Ref } from '../request/arguments.js';
import { qemuDoorbell } from '../vm/qemu-options.js';
import { UUID } from './allocation.js';
import { type Context, newCommand } from './command.js';
import { becoming, beginFor, rawArguments } from './exec.js';
import { humanBytes } from './format.js';
import { parseNumber } from './size.js';
import { serverObject } from './vm-ls.js';

const DESCRIPTION = `Offer an allocation to virtual machines as QEMU's ivshmem device, on a socket of the
daemon.

Specify the allocation by its name or its id. It must be MAPPABLE, and its size a power of two (alloc
--power-of-two). Every peer, a machine or a worker, has the same number of interrupt vectors. The user of a
connection must own the allocation or hold a grant to write it. The offer ends when the allocation is freed,
or with 'vm stop'.

--path creates a symbolic link to the socket, also for an existing offer. The link remains when the offer
ends; a link to a socket that no longer exists is replaced. --fd does not create a link: CMD replaces vkmemctl
and inherits a connection; {fd} in its arguments stands for the number of the fd. An allocation that is not
offered yet is offered, until it is freed or stopped.`;

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
/** The target of a link that this command created: a socket whose name is the id of its allocation. */
const SOCKET = /\/ivshmem\/[0-9a-f-]{36}\.sock$/;

/** The offer as text, with QEMU's options. */
function serverText(server: IvshmemServer, at: string): string {
  const { allocationName, allocationId, sizeBytes, vectors } = server;
  const { chardev, device } = qemuDoorbell(at, vectors, `vkmem-${allocationName || allocationId}`);
  const offered = `${humanBytes(sizeBytes)}, ${vectors} ${vectors === 1 ? 'vector' : 'vectors'}, at ${at}`;
  return `Offered ${allocationName || allocationId}: ${offered}\n  -chardev ${chardev} -device ${device}`;
}

/**
 * Checks that a link can be created at the path: nothing exists there, or a link of this command whose socket
 * no longer exists.
 * @throws VkmemError INVALID_ARGUMENT.
 */
function requireFree(path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (!there) return;
  const stale = there.isSymbolicLink() && SOCKET.test(readlinkSync(path)) && !existsSync(path);
  if (!stale)
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `--path: ${path} exists and is not a stale link of this command.`,
      { field: 'path' },
      undefined,
      'Choose another path, or remove what exists there.',
    );
}

function link(path: string, socket: string): void {
  requireFree(path);
  try {
    rmSync(path, { force: true });
    symlinkSync(socket, path);
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    const next = adviceOf(code) ?? 'Check the path and its folder, or choose another path.';
    throw new VkmemError('INVALID_ARGUMENT', `--path: ${message}.`, { field: 'path' }, cause, next);
  }
}

/** Replaces this program by the command, which inherits a connection. Returns only by throwing. */
async function execWithConnection(context: Context, ref: Ref, operands: readonly string[]): Promise<never> {
  const [file = '', ...args] = operands;
  const handover = await beginFor(file, context.place);
  try {
    const fd = String(await handover.joinIvshmem(ref));
    const filled = rawArguments(args).map((arg) => {
      const text = Buffer.from(arg).toString('latin1');
      return text.includes(PLACE) ? Buffer.from(text.replaceAll(PLACE, fd), 'latin1') : arg;
    });
    return handover.exec({ file, args: filled }, true);
  } catch (failure) {
    for (const left of await handover.cancel()) context.fail(left);
    throw failure;
  }
}

/**
 * Finds the existing offer.
 * @throws VkmemError NOT_FOUND if it has ended; INVALID_ARGUMENT if it has another number of vectors.
 */
async function existing(
  control: ControlClient,
  ref: Ref,
  vectors: number | undefined,
): Promise<IvshmemServer> {
  const { id } = await control.get(ref);
  const server = (await control.ivshmem.list()).find(({ allocationId }) => allocationId === id);
  if (!server) throw new VkmemError('NOT_FOUND', `The offer of ${id} ended during the request; try again.`);
  if (vectors === undefined || vectors === server.vectors) return server;
  const reason = `--vectors: ${vectors}, but the allocation is already offered with ${server.vectors}.`;
  const next = 'Omit --vectors, or end the offer first (vkmemctl vm stop).';
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'vectors' }, undefined, next);
}

async function offer(context: Context, operands: readonly string[], options: Options): Promise<void> {
  const { control, print } = context;
  const [name = '', ...command] = operands;
  const { path, fd = false } = options;
  const wrong = (reason: string) => new VkmemError('INVALID_ARGUMENT', reason, { field: 'fd' });
  if (fd && path !== undefined) throw wrong('--fd and --path cannot be used together.');
  if (fd && command.length === 0) throw wrong('--fd requires a command after --.');
  if (!fd && command.length > 0) throw wrong('A command requires --fd.');
  const vectors = options.vectors === undefined ? undefined : parseNumber('--vectors', options.vectors);
  const ref = UUID.test(name) ? { id: name } : { name };
  if (path !== undefined) requireFree(path);
  let made = true;
  const server = await control.ivshmem.serve(ref, { vectors: vectors ?? 1 }).catch((failure) => {
    const there = failure instanceof VkmemError && failure.code === 'ALREADY_SERVED';
    if (!there || (!fd && path === undefined)) throw failure;
    made = false;
    return existing(control, ref, vectors);
  });
  try {
    if (fd) await execWithConnection(context, ref, command);
    if (path !== undefined) link(path, server.path);
  } catch (failure) {
    // Ends an offer that this command created.
    if (made) await control.ivshmem.stop({ id: server.allocationId });
    throw failure;
  }
  const served = { server: { ...serverObject(server), link: path ?? null } };
  print(served, () => serverText(server, path ?? server.path));
}

export function ivshmemCommand(): Command {
  return newCommand('ivshmem', DESCRIPTION, EXAMPLES)
    .summary("offer an allocation as QEMU's ivshmem device")
    .argument('<name-or-id>', 'the allocation')
    .argument('[cmd...]', 'with --fd: the command, and its arguments')
    .option('--vectors <n>', 'interrupt vectors, 1 to 64 (default: 1)')
    .option('--path <path>', 'create a symbolic link to the socket at this path')
    .option('--fd', 'run a command that inherits a connection')
    .action(becoming((context, operands, options) => offer(context, operands, options as Options)));
}
