/**
 * vkmemctl vm attach: adds memory of the daemon to a machine that runs, over QEMU's monitor.
 *
 * The grant is claimed here and entrusted to QEMU's process, as the kernel names it by the monitor's socket,
 * before QEMU is given the fd: so the daemon knows who has it from the first moment on. Where QEMU refuses,
 * all of that is undone.
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

const DESCRIPTION = `Add an allocation to a virtual machine that runs, over QEMU's monitor.

PATH is the Unix socket of QEMU's machine protocol (-qmp unix:PATH,server=on,wait=off), which serves one client at a
time. NAME is the allocation's name ('1000/frames' of user 1000) or id. The guest sees it as a PCI device's BAR (ivshmem,
the default, whose size must be a power of two), as RAM (dimm) or as persistent memory (pmem, or nvdimm-ro to read only).
On a machine q35 ivshmem and pmem need --bus with the id of a free pcie-root-port, since its own bus takes nothing while it
runs. For all but ivshmem QEMU must have been started with slots and maxmem in its -m, for nvdimm-ro with -machine nvdimm=on.

The grant is a session's that lasts as long as the process that listens on PATH, or until 'vm detach'. QEMU opens the memory
anew: as another user than the daemon's it can do so only with memory that was allocated to be reopenable. What it refuses
is VMM_REFUSED, in its own words, and nothing of it stays.`;

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
    'Its process cannot be seen from here: it is in another pid namespace.',
  );
}

async function attach(context: Context, name: string, options: Options): Promise<void> {
  const form = checkWord('--as', options.as, HOT);
  const access: AccessName = checkWord('--access', options.access ?? FORMS[form].access, ['ro', 'rw']);
  if (form === 'nvdimm-ro' && access === 'rw')
    throw new VkmemError('INVALID_ARGUMENT', '--access: as nvdimm-ro it is read only.', { field: 'access' });
  if (form === 'ivshmem' && access === 'ro') {
    const reason = '--access: the guest can write to an ivshmem device; nvdimm-ro is what it can only read.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'access' });
  }
  if (options.id !== undefined && !DEVICE_ID.test(options.id))
    throw new VkmemError('INVALID_ARGUMENT', `--id: ${JSON.stringify(options.id)} is no id of QEMU's.`);
  await using client = await connect({ ...dirOf(context), clientName: 'vkmemctl vm attach', reconnectMs: 0 });
  using qmp = await Qmp.connect(options.qmp);
  using pidfd = processOf(qmp);
  const ref = UUID.test(name) ? { id: name } : { name };
  await using memory = await client.claim(ref, { kinds: ['MAPPABLE'], access });
  const [grant] = memory.grants;
  if (!grant || grant.dmaBufSync || grant.mapOffsetBytes !== 0n)
    throw new VkmemError('NOT_MAPPABLE', `${name} is no file that QEMU can open: its memory is a dma-buf's.`);
  requireFit(form, name, memory.size);
  const session = await memory.entrust(pidfd);
  const device = options.id ?? `vkmem-${memory.name || memory.id}`;
  try {
    using fd = memory.fd('MAPPABLE');
    const place = options.bus === undefined ? {} : { bus: options.bus };
    const request = { allocation: memory.id, session, fd, size: memory.size, access };
    await hotplug(qmp, { ...request, driver: FORMS[form].device, device, place });
  } catch (failure) {
    // What could not be undone is the machine's still, and 'vm detach' finds it.
    const stays = failure instanceof VkmemError && failure.metadata.backend !== undefined;
    if (!stays) await client.endEntrusted(session).catch(unlessGone);
    throw explained(failure);
  }
  const attached = { allocation: memory.id, name: memory.name || null, device, form, access };
  context.print({ ...attached, sizeBytes: memory.size, session, pid: qmp.peer.pid }, () => {
    return `Attached ${name} (${humanBytes(memory.size)}) to process ${qmp.peer.pid} as ${device}.`;
  });
}

/** Its session ends with the machine. */
function unlessGone(failure: unknown): void {
  if (!(failure instanceof VkmemError) || failure.code !== 'NOT_FOUND') throw failure;
}

const dirOf = ({ runtimeDir }: Context) => (runtimeDir === undefined ? {} : { runtimeDir });

/** QEMU says that it may not, and not why. */
function explained(failure: unknown): unknown {
  if (!(failure instanceof VkmemError) || !/Permission denied/.test(failure.reason)) return failure;
  const reason = `${failure.reason} As another user than the daemon's QEMU can open only memory that was allocated to be reopenable.`;
  return new VkmemError(failure.code, reason, failure.metadata, failure);
}

export function vmAttachCommand(): Command {
  return newCommand('attach', DESCRIPTION, EXAMPLES)
    .summary('add memory to a machine that runs')
    .argument('<name>', 'the allocation')
    .requiredOption('--qmp <path>', "the monitor's socket")
    .addOption(new Option('--as <form>', 'how the guest sees it').choices(HOT).default('ivshmem'))
    .addOption(new Option('--access <access>', 'default: rw, but of nvdimm-ro').choices(['ro', 'rw']))
    .option(
      '--bus <id>',
      "where the device goes, in QEMU; q35 needs a pcie-root-port's (default: QEMU's choice)",
    )
    .option('--id <id>', "the device's, in QEMU (default: vkmem- and the name)")
    .action(
      actionOf((context, [name = ''], options) => attach(context, name, options as unknown as Options)),
    );
}
