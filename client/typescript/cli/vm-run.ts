/**
 * vkmemctl vm run: claims allocations and becomes QEMU, which inherits their fds and finds the options that
 * use them.
 *
 * The session is QEMU's, since it runs in this very process: its grants last until it exits, however that
 * comes about. QEMU opens each memory anew through /proc, so whether it may is tried here before anything is
 * begun in it.
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

const DESCRIPTION = `Run QEMU with memory of the daemon, which it inherits as fds.

CMD takes the place of vkmemctl, as with exec: same process, its own exit code, and signals reach it. Behind its own
options it is given those that use the memory, of sort memory-backend-file with mem-path=/proc/self/fd/N, and wherever
{fd:NAME} (to write) or {fd-ro:NAME} (to read) stands in its arguments, the number of NAME's fd. NAME is an allocation's
name ('1000/frames' of user 1000), its id, or the name in an --allocate, which is as exec has it. -m with slots and maxmem
is added where a memory device is and CMD has none.

The grants are those of a session that lasts as long as CMD: freed memory drains until it exits. It must not fork and go
on in another process, so -daemonize is refused. QEMU opens its memory anew: as another user than the daemon's it can do so
only with memory that was allocated to be reopenable.`;

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

/** The claims of a command, each made once. */
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

/** The same of QEMU's own, which would be said once it has begun, and in fewer words. */
function requireOpenable(name: string, { fd, grant }: InheritedGrant, access: AccessName): void {
  if (grant.dmaBufSync || grant.mapOffsetBytes !== 0n)
    throw new VkmemError('NOT_MAPPABLE', `${name} is no file that QEMU can open: its memory is a dma-buf's.`);
  const flags = access === 'rw' ? constants.O_RDWR : constants.O_RDONLY;
  try {
    closeSync(openSync(`/proc/self/fd/${fd}`, flags));
  } catch (failure) {
    const { code = '' } = failure as NodeJS.ErrnoException;
    const user = `user ${process.geteuid?.()}`;
    const reason = `${name}: ${user} cannot open it anew through /proc, as QEMU does (${code}). Allocate it with the hint reopenable, or run QEMU as the daemon's user.`;
    throw new VkmemError('NOT_PERMITTED', reason, { errno: code }, failure);
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
        throw new VkmemError('INVALID_ARGUMENT', `${name} is given to the machine twice.`, { field: form });
      given.push({ form, id, fd: claimed.fd, size: claimed.allocation.sizeBytes });
    }
  }
  return given;
}

/** The arguments with numbers in their places; bytes stay as they were. */
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

/** As a shell reads it. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

async function run(context: Context, operands: readonly string[], options: Options): Promise<void> {
  const [command = '', ...own] = operands;
  const all = parseAllWanted(options.allocate ?? []);
  if (own.some((arg) => /^--?daemonize$/.test(arg)))
    throw new VkmemError(
      'INVALID_ARGUMENT',
      '-daemonize: the session would end with the process that forks.',
    );
  const handover = await beginFor(command, context.runtimeDir);
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
    .option('--ram <name>', "the guest's RAM, all of it")
    .option('--dimm <name>', 'RAM beside it (pc-dimm); may be repeated, as all below', another)
    .option('--pmem <name>', 'persistent memory (virtio-pmem-pci)', another)
    .option('--nvdimm-ro <name>', 'the same to read only (nvdimm)', another)
    .option('--ivshmem <name>', "a PCI device's BAR (ivshmem-plain)", another)
    .option('--allocate <allocation>', 'make this first: name=guest,size=1G', another)
    .option('--dry-run', 'claim it all, print the command line, and give it back')
    .passThroughOptions()
    .action(becoming((context, operands, options) => run(context, operands, options as Options)));
}
