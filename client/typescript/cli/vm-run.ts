/**
 * vkmemctl vm run: claims allocations and replaces itself by QEMU, which inherits the fds and receives
 * options that use them.
 *
 * QEMU runs in the same process, so the session is QEMU's, and the grants last until it exits. QEMU reopens
 * each memory through /proc; this program tries that before QEMU starts.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { type AccessName, VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { Handover, InheritedGrant } from '../connection/handover.js';
import { parseAllWanted } from './allocate-option.js';
import { UUID } from './allocation.js';
import { type Context, newCommand } from './command.js';
import { another, becoming, beginFor, provide, rawArguments } from './exec.js';
import { FORMS, type Form, type Given, qemuArguments, requireFit } from './qemu-arguments.js';

const DESCRIPTION = `Run QEMU with memory of the daemon, which QEMU inherits as fds.

CMD replaces vkmemctl, as with 'exec': it is the same process, receives signals directly, and its exit code is
that of the command. The options that use the memory (memory-backend-file with mem-path=/proc/self/fd/N) are
appended to CMD's own options. In its arguments, {fd:NAME} (for writing) and {fd-ro:NAME} (for reading) stand
for the number of NAME's fd. NAME is the name of an allocation ('1000/frames' for one of user 1000), its id,
or the name of an --allocate, which has the syntax of 'exec'. If a memory device is added (--dimm, --pmem,
--nvdimm-ro) and CMD has no -m with maxmem, -m with slots and maxmem is appended.

The grants belong to a session that lasts as long as CMD: freed memory drains until it exits. CMD must not
continue in a forked process, so -daemonize is refused. QEMU reopens the memory: a QEMU that runs as another
user than the daemon can only open memory that was allocated with --reopenable.`;

const EXAMPLES = [
  'vm run --ram guest -- qemu-system-x86_64 -accel kvm -drive file=disk.qcow2,if=virtio',
  'vm run --ivshmem frames --nvdimm-ro weights -- qemu-system-x86_64 -m 2G',
  'vm run --allocate name=guest,size=1G,lifetime=session --ram guest -- qemu-system-x86_64 -nographic',
  'vm run --dry-run --dimm frames -- qemu-system-x86_64 -m 2G',
];

type Options = Partial<
  Readonly<Record<Exclude<Form, 'ram' | 'nvdimm-ro'> | 'allocate' | 'nvdimmRo', string[]>>
> & {
  readonly ram?: string;
  readonly dryRun?: boolean;
};

const PLACE = /\{fd(-ro)?:([^{}]+)\}/g;

/** The claims for a command. Each is made once. */
class Claims {
  readonly #handover: Handover;
  readonly #claimed = new Map<string, InheritedGrant>();

  constructor(handover: Handover) {
    this.#handover = handover;
  }

  async of(name: string, access: AccessName): Promise<InheritedGrant> {
    const key = `${access} ${name}`;
    const claimed =
      this.#claimed.get(key) ??
      (await this.#handover.claim(UUID.test(name) ? { id: name } : { name }, access));
    this.#claimed.set(key, claimed);
    return claimed;
  }
}

/** Checks that QEMU can open the memory. QEMU would report a failure later and with less detail. */
function requireOpenable(name: string, { fd, grant }: InheritedGrant, access: AccessName): void {
  if (grant.dmaBufSync || grant.mapOffsetBytes !== 0n)
    throw new VkmemError(
      'NOT_MAPPABLE',
      `${name} is a dma-buf, which QEMU cannot open; it requires memory over a memfd.`,
    );
  const flags = access === 'rw' ? constants.O_RDWR : constants.O_RDONLY;
  try {
    closeSync(openSync(`/proc/self/fd/${fd}`, flags));
  } catch (failure) {
    const { code = '' } = failure as NodeJS.ErrnoException;
    const user = `user ${process.geteuid?.()}`;
    const reason = `${name}: ${user} cannot reopen it through /proc, as QEMU does (${code}).`;
    const next = "Allocate it with the hint reopenable, or run QEMU as the daemon's user.";
    throw new VkmemError('NOT_PERMITTED', reason, { errno: code }, failure, next);
  }
}

async function give(claims: Claims, options: Options): Promise<Given[]> {
  const { ram, dimm, pmem, ivshmem, nvdimmRo } = options;
  const wanted = { ram: ram === undefined ? [] : [ram], dimm, pmem, 'nvdimm-ro': nvdimmRo, ivshmem };
  const given: Given[] = [];
  for (const form of Object.keys(FORMS) as Form[]) {
    for (const name of wanted[form] ?? []) {
      const { access } = FORMS[form];
      const claimed = await claims.of(name, access);
      requireFit(form, name, claimed.allocation.sizeBytes);
      requireOpenable(name, claimed, access);
      const id = `vkmem-${name.replaceAll('/', '.')}`;
      if (given.some((other) => other.id === id))
        throw new VkmemError(
          'INVALID_ARGUMENT',
          `--${form} ${name}: the machine cannot have the same allocation twice.`,
          { field: form },
        );
      given.push({ form, id, fd: claimed.fd, size: claimed.allocation.sizeBytes });
    }
  }
  return given;
}

/** The arguments with their placeholders replaced by fd numbers. Other bytes stay unchanged. */
async function filledIn(
  claims: Claims,
  args: readonly (string | Uint8Array)[],
): Promise<(string | Uint8Array)[]> {
  const filled: (string | Uint8Array)[] = [];
  for (const arg of args) {
    let text = Buffer.from(arg).toString('latin1');
    for (const [place, ro, name = ''] of text.matchAll(PLACE)) {
      const { fd } = await claims.of(Buffer.from(name, 'latin1').toString(), ro ? 'ro' : 'rw');
      text = text.replace(place, String(fd));
    }
    filled.push(Buffer.from(text, 'latin1'));
  }
  return filled;
}

/** Quotes a word for a shell. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

async function run(context: Context, operands: readonly string[], options: Options): Promise<void> {
  const [command = '', ...own] = operands;
  const all = parseAllWanted(options.allocate ?? []);
  if (own.some((arg) => /^--?daemonize$/.test(arg)))
    throw new VkmemError(
      'INVALID_ARGUMENT',
      '-daemonize: the session would end with the process that forks.',
      {},
      undefined,
      'Omit -daemonize: run QEMU in the foreground.',
    );
  const handover = await beginFor(command, context.place);
  try {
    for (const wanted of all) await provide(handover, context.control, wanted);
    const claims = new Claims(handover);
    const args = await filledIn(claims, rawArguments(own));
    const added = qemuArguments(await give(claims, options), own);
    if (options.dryRun !== true) handover.exec({ file: command, args: [...args, ...added] }, true);
    const argv = [command, ...args.map((arg) => Buffer.from(arg).toString()), ...added];
    context.print({ argv }, () => argv.map(quoted).join(' '));
  } catch (failure) {
    for (const left of await handover.cancel()) context.fail(left);
    throw failure;
  }
  for (const left of await handover.cancel()) context.fail(left);
}

export function vmRunCommand(): Command {
  return newCommand('run', DESCRIPTION, EXAMPLES)
    .summary('run QEMU with memory of the daemon')
    .argument('<cmd>', 'QEMU')
    .argument('[args...]', 'its own options')
    .option('--ram <name>', 'use it as the whole RAM of the guest')
    .option('--dimm <name>', 'add it as RAM (pc-dimm); may be repeated, like the options below', another)
    .option('--pmem <name>', 'add it as persistent memory (virtio-pmem-pci)', another)
    .option('--nvdimm-ro <name>', 'add it as read-only persistent memory (nvdimm)', another)
    .option('--ivshmem <name>', 'add it as the BAR of a PCI device (ivshmem-plain)', another)
    .option('--allocate <allocation>', 'create this allocation first: name=guest,size=1G', another)
    .option('--dry-run', 'claim everything, print the command line, and release it')
    .passThroughOptions()
    .action(becoming((context, operands, options) => run(context, operands, options as Options)));
}
