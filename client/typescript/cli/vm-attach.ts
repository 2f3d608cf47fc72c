/**
 * vkmemctl vm attach: adds memory of the daemon to a running machine, over QEMU's monitor.
 *
 * The grant is claimed here and moved to a session of QEMU's process, which the kernel identifies by the
 * monitor's socket, before QEMU receives the fd. So the daemon always has the correct holder. If QEMU
 * refuses, all steps are undone.
 */
import { type AccessName, type OwnedFd, openPidfd, VkmemError } from '@vkmemd/proto';
import { type Command, Option } from 'commander';
import { connect } from '../connect.js';
import { checkWord } from '../request/arguments.js';
import { hotplug } from '../vm/hotplug.js';
import { Qmp } from '../vm/qmp.js';
import { UUID } from './allocation.js';
import { actionOf, type Context, newCommand } from './command.js';
import { humanBytes } from './format.js';
import { FORMS, requireFit } from './qemu-arguments.js';

const DESCRIPTION = `Add an allocation to a running virtual machine, over QEMU's monitor.

PATH is the Unix socket of the QEMU Machine Protocol (-qmp unix:PATH,server=on,wait=off), which serves one
client at a time. NAME is the name of the allocation ('1000/frames' for one of user 1000) or its id. The guest
sees it as the BAR of a PCI device (ivshmem, the default; the size must be a power of two), as RAM (dimm), or
as persistent memory (pmem, or nvdimm-ro for reading only).

On a q35 machine, ivshmem and pmem require --bus with the id of a free pcie-root-port, because its root bus
does not support hotplug. For all forms except ivshmem, QEMU must have been started with slots and maxmem in
-m, and for nvdimm-ro with -machine nvdimm=on.

The grant belongs to a session that lasts as long as the process that listens on PATH, or until 'vm detach'.
QEMU reopens the memory: a QEMU that runs as another user than the daemon can only open memory that was
allocated with --reopenable. If QEMU refuses, the command fails with VMM_REFUSED and QEMU's error text, and
all its steps are undone.`;

const EXAMPLES = [
  'vm attach --qmp /run/vm1/qmp.sock frames',
  'vm attach --qmp /run/vm1/qmp.sock weights --as nvdimm-ro',
  'vm attach --qmp /run/vm1/qmp.sock frames --bus rp0 --id frames0 --json',
];

const HOT = ['ivshmem', 'dimm', 'pmem', 'nvdimm-ro'] as const;
const DEVICE_ID = /^[A-Za-z][A-Za-z0-9._-]{0,127}$/;

interface Options {
  readonly qmp: string;
  readonly as: string;
  readonly access?: string;
  readonly id?: string;
  readonly bus?: string;
}

/** The process that listens on the monitor's socket; the caller owns it. */
function processOf({ peer }: Qmp): OwnedFd {
  if (peer.pidfd) return peer.pidfd.dup();
  if (peer.pid !== 0) return openPidfd(peer.pid);
  throw new VkmemError(
    'VMM_REFUSED',
    'The process of the monitor is in another pid namespace; run vkmemctl in that namespace.',
  );
}

async function attach(context: Context, name: string, options: Options): Promise<void> {
  const form = checkWord('--as', options.as, HOT);
  const access: AccessName = checkWord('--access', options.access ?? FORMS[form].access, ['ro', 'rw']);
  if (form === 'nvdimm-ro' && access === 'rw')
    throw new VkmemError('INVALID_ARGUMENT', '--access: the form nvdimm-ro is read-only.', {
      field: 'access',
    });
  if (form === 'ivshmem' && access === 'ro') {
    const reason =
      '--access: a guest can write to an ivshmem device; use --as nvdimm-ro for read-only memory.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'access' });
  }
  if (options.id !== undefined && !DEVICE_ID.test(options.id))
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `--id: ${JSON.stringify(options.id)} is not a valid id in QEMU.`,
      { field: 'id' },
      undefined,
      'Begin it with a letter; then up to 127 letters, digits, dots, dashes or underscores may follow.',
    );
  await using client = await connect({ ...context.place, clientName: 'vkmemctl vm attach', reconnectMs: 0 });
  using qmp = await Qmp.connect(options.qmp);
  using pidfd = processOf(qmp);
  const ref = UUID.test(name) ? { id: name } : { name };
  await using memory = await client.claim(ref, { kinds: ['MAPPABLE'], access });
  const [grant] = memory.grants;
  if (!grant || grant.dmaBufSync || grant.mapOffsetBytes !== 0n)
    throw new VkmemError(
      'NOT_MAPPABLE',
      `${name} is a dma-buf, which QEMU cannot open; it requires memory over a memfd.`,
    );
  requireFit(form, name, memory.size);
  const session = await memory.entrust(pidfd);
  const device = options.id ?? `vkmem-${memory.name || memory.id}`;
  try {
    using fd = memory.fd('MAPPABLE');
    const place = options.bus === undefined ? {} : { bus: options.bus };
    const request = { allocation: memory.id, session, fd, size: memory.size, access };
    await hotplug(qmp, { ...request, driver: FORMS[form].device, device, place });
  } catch (failure) {
    // If a step could not be undone, the machine still has the memory, and 'vm detach' can remove it.
    const stays = failure instanceof VkmemError && failure.metadata.backend !== undefined;
    if (!stays) await client.endEntrusted(session).catch(unlessGone);
    throw explained(failure);
  }
  const attached = { allocation: memory.id, name: memory.name || null, device, form, access };
  context.print({ ...attached, sizeBytes: memory.size, session, pid: qmp.peer.pid }, () => {
    return `Attached ${name} (${humanBytes(memory.size)}) to process ${qmp.peer.pid} as ${device}.`;
  });
}

/** Ignores NOT_FOUND: the session has ended with the machine. */
function unlessGone(failure: unknown): void {
  if (!(failure instanceof VkmemError) || failure.code !== 'NOT_FOUND') throw failure;
}

/** Adds the probable cause: QEMU only reports that permission was denied. */
function explained(failure: unknown): unknown {
  if (!(failure instanceof VkmemError) || !/Permission denied/.test(failure.reason)) return failure;
  const reason = `${failure.reason} Allocate it with --reopenable, or run QEMU as the daemon's user.`;
  return new VkmemError(failure.code, reason, failure.metadata, failure);
}

export function vmAttachCommand(): Command {
  return newCommand('attach', DESCRIPTION, EXAMPLES)
    .summary('add memory to a running machine')
    .argument('<name>', 'the allocation')
    .requiredOption('--qmp <path>', "the monitor's socket")
    .addOption(
      new Option('--as <form>', 'the form in which the guest sees it').choices(HOT).default('ivshmem'),
    )
    .addOption(
      new Option('--access <access>', 'the access of the grant (default: rw; ro for nvdimm-ro)').choices([
        'ro',
        'rw',
      ]),
    )
    .option(
      '--bus <id>',
      "the id of the device's bus in QEMU; on q35, of a pcie-root-port (default: QEMU's choice)",
    )
    .option('--id <id>', 'the id of the device in QEMU (default: vkmem- and the name)')
    .action(
      actionOf((context, [name = ''], options) => attach(context, name, options as unknown as Options)),
    );
}
