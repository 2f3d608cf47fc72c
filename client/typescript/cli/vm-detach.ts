/**
 * vkmemctl vm detach: removes memory of the daemon, which 'vm attach' added, from a running machine.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import { connect } from '../connect.js';
import { type HotpluggedMemory, hotUnplug, listHotplugged } from '../vm/hotplug.js';
import { Qmp } from '../vm/qmp.js';
import { UUID } from './allocation.js';
import { actionOf, type Context, expected, newCommand } from './command.js';
import { parseSeconds } from './duration.js';

const DESCRIPTION = `Remove an allocation from a running virtual machine to which 'vm attach' added it.

NAME is the name or the id of the allocation, or the id of the device in QEMU; specify an allocation that was
freed by its id or by the device. The guest must release the device; a guest without a driver for it, or one
that has not booted, never does. Then the command fails with VMM_REFUSED after the timeout; the request to the
guest stays pending, and the command can be repeated. QEMU never removes some devices, such as pmem
(virtio-pmem-pci). The grant ends when QEMU has closed the memory.`;

const EXAMPLES = [
  'vm detach --qmp /run/vm1/qmp.sock frames',
  'vm detach --qmp /run/vm1/qmp.sock frames --timeout 60s --json',
];

const DEFAULT_TIMEOUT = '10s';
/** The longest delay of a timer. */
const MAX_MS = 0x7fffffff;

interface Options {
  readonly qmp: string;
  readonly timeout: string;
}

/**
 * Finds the memory by the id of the device or the allocation, or by the name of the allocation. A freed
 * allocation no longer has its name, but the default id of its device contains it.
 */
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
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `The machine has ${name} more than once; specify one of ${ids}.`,
      {},
      undefined,
      'Run vkmemctl vm detach with one of these ids.',
    );
  }
  if (first) return first;
  throw new VkmemError('NOT_FOUND', `The machine does not have ${name}.`);

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
  await using client = await connect({
    ...context.place,
    clientName: 'vkmemctl vm detach',
    reconnectMs: 0,
  });
  using qmp = await Qmp.connect(path);
  const found = await find(context, qmp, name);
  await hotUnplug(qmp, found, timeoutMs);
  try {
    await client.endEntrusted(found.session);
  } catch (failure) {
    // The daemon has restarted since and no longer has the session.
    if (!(failure instanceof VkmemError) || failure.code !== 'NOT_FOUND') throw failure;
  }
  const { allocation, device = null, session } = found;
  context.print({ allocation, device, session, pid: qmp.peer.pid }, () => {
    return `Detached ${name} from process ${qmp.peer.pid}.`;
  });
}

export function vmDetachCommand(): Command {
  return newCommand('detach', DESCRIPTION, EXAMPLES)
    .summary('remove memory from a running machine')
    .argument('<name>', 'the allocation, or the device')
    .requiredOption('--qmp <path>', "the monitor's socket")
    .option('--timeout <time>', 'how long to wait for the guest to release the device', DEFAULT_TIMEOUT)
    .action(
      actionOf((context, [name = ''], options) => detach(context, name, options as unknown as Options)),
    );
}
