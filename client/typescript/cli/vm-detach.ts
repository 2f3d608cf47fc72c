/**
 * vkmemctl vm detach: takes memory of the daemon away from a machine that runs, as 'vm attach' added it.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import { connect } from '../connect.js';
import { type HotpluggedMemory, hotUnplug, listHotplugged } from '../vm/hotplug.js';
import { Qmp } from '../vm/qmp.js';
import { UUID } from './allocation.js';
import { actionOf, type Context, expected, newCommand } from './command.js';
import { parseSeconds } from './duration.js';

const DESCRIPTION = `Take an allocation away from a virtual machine that runs, where 'vm attach' added it.

NAME is the allocation's name or id, or the device's id in QEMU; one that was freed is found by its id or the device's.
The guest must let go of the device: one without a driver for that, or that has not begun, never does. Then it is VMM_REFUSED
when the time is over, the guest stays asked, and the command can be given again. Some devices QEMU never takes away, such
as pmem (virtio-pmem-pci). When QEMU has closed the memory, the grant ends.`;

const EXAMPLES = [
  'vm detach --qmp /run/vm1/qmp.sock frames',
  'vm detach --qmp /run/vm1/qmp.sock frames --timeout 60s --json',
];

const DEFAULT_TIMEOUT = '10s';
/** What a timer can be set to. */
const MAX_MS = 0x7fffffff;

interface Options {
  readonly qmp: string;
  readonly timeout: string;
}

/** By the device's id, or the allocation's; what was freed has its name no more, but in the device's. */
async function find({ control }: Context, qmp: Qmp, name: string): Promise<HotpluggedMemory> {
  const all = await listHotplugged(qmp);
  const exact = all.filter(({ allocation, device }) => allocation === name || device === name);
  const found = exact.length > 0 || UUID.test(name) ? exact : await named();
  const [first, another] = found;
  if (another) {
    const ids = found
      .map(({ device, backend }) => device ?? backend)
      .sort()
      .join(', ');
    throw new VkmemError('INVALID_ARGUMENT', `${name} is in the machine more than once: name one of ${ids}.`);
  }
  if (first) return first;
  throw new VkmemError('NOT_FOUND', `${name} is not in this machine.`);

  async function named(): Promise<HotpluggedMemory[]> {
    try {
      const { id } = await control.get({ name });
      return all.filter(({ allocation }) => allocation === id);
    } catch (failure) {
      if (expected(failure).code !== 'NOT_FOUND') throw failure;
      return all.filter(({ device }) => device === `vkmem-${name}`);
    }
  }
}

async function detach(context: Context, name: string, { qmp: path, timeout }: Options): Promise<void> {
  const timeoutMs = Math.min(parseSeconds('--timeout', timeout) * 1000, MAX_MS);
  const { runtimeDir } = context;
  await using client = await connect({
    ...(runtimeDir === undefined ? {} : { runtimeDir }),
    clientName: 'vkmemctl vm detach',
    reconnectMs: 0,
  });
  using qmp = await Qmp.connect(path);
  const found = await find(context, qmp, name);
  await hotUnplug(qmp, found, timeoutMs);
  try {
    await client.endEntrusted(found.session);
  } catch (failure) {
    // The daemon has begun anew since, and knows nothing of it.
    if (!(failure instanceof VkmemError) || failure.code !== 'NOT_FOUND') throw failure;
  }
  const { allocation, device = null, session } = found;
  context.print({ allocation, device, session, pid: qmp.peer.pid }, () => {
    return `Detached ${name} from process ${qmp.peer.pid}.`;
  });
}

export function vmDetachCommand(): Command {
  return newCommand('detach', DESCRIPTION, EXAMPLES)
    .summary('take memory away from it again')
    .argument('<name>', 'the allocation, or the device')
    .requiredOption('--qmp <path>', "the monitor's socket")
    .option('--timeout <time>', 'how long the guest may take to let go', DEFAULT_TIMEOUT)
    .action(
      actionOf((context, [name = ''], options) => detach(context, name, options as unknown as Options)),
    );
}
