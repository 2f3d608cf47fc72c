/**
 * Lists the files of daemon/ and proto/ that one operation executes: those with a function that a warm daemon
 * calls between the request and its answer, by V8's precise coverage. C++ is not counted.
 *
 * Every operation is measured several times. Functions that are not called each time, or that are called
 * without a request too, belong to timers and are ignored.
 *
 *     node test/dist/architecture/entered-files.js claim|allocate|session-end|grpc-allocate [CHECKOUT]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { closeAll } from '@vkmemd/proto';
import { ControlWire } from '../support/control-wire.js';
import {
  ANYBODY,
  driverUnderTest,
  plainEnvironment,
  plainNode,
  root,
  startLineOf,
} from '../support/daemon.js';
import { HandoffWire, type Received } from '../support/handoff-wire.js';
import type { Entered } from './coverage-hook.js';

const WARM_UP_ROUNDS = 10;
const ROUNDS = 5;
/** Time until no work of the previous round is left. */
const SETTLE_MS = 100;
/** Time for the end of a session, which has no answer to wait for. */
const SESSION_END_MS = 300;
const IDLE_MS = 300;

const NAME = 'measured';
const BYTES = 1n << 16n;
const KIND = 'KIND_MAPPABLE' as const;

/** One operation on a daemon. Only `measured` is measured. */
interface Operation {
  prepare(): Promise<void>;
  measured(): Promise<void>;
  undo(): Promise<void>;
}

type Open = (runtimeDir: string) => Promise<Operation & { close(): void }>;

const nothing = async () => {};

function dropFds({ message, fds }: Received): Received['message'] {
  closeAll(fds);
  return message;
}

const allocation = { sizeBytes: BYTES, kinds: [KIND] };
const claim = { claim: { allocation: { name: NAME }, kinds: [KIND] } };

/** A session that creates the allocation which another session claims. */
async function openOwner(runtimeDir: string): Promise<HandoffWire> {
  const owner = await HandoffWire.open(runtimeDir);
  dropFds(await owner.ask({ allocate: { ...allocation, name: NAME, sharing: 'SHARING_SHARED' } }));
  return owner;
}

/** A Claim by name of SHARED MAPPABLE memory, by a session other than its creator's. */
const openClaim: Open = async (runtimeDir) => {
  const owner = await openOwner(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  let grantId = 0n;
  return {
    prepare: nothing,
    measured: async () => {
      grantId = dropFds(await wire.ask(claim)).claim?.grants[0]?.id ?? 0n;
    },
    undo: async () => void (await wire.ask({ release: { grantId } })),
    close: () => {
      for (const each of [wire, owner]) each.close();
    },
  };
};

/** An Allocate of MAPPABLE memory with its grant, on the handoff socket. */
const openAllocate: Open = async (runtimeDir) => {
  const wire = await HandoffWire.open(runtimeDir);
  let id = '';
  return {
    prepare: nothing,
    measured: async () => {
      const answer = dropFds(await wire.ask({ allocate: { ...allocation, grantKinds: [KIND] } }));
      id = answer.allocate?.allocation?.id ?? '';
    },
    undo: async () => void (await wire.ask({ free: { allocation: { id } } })),
    close: () => wire.close(),
  };
};

/** The end of a session that has a grant of another session's allocation and an allocation of its own. */
const openSessionEnd: Open = async (runtimeDir) => {
  const owner = await openOwner(runtimeDir);
  let wire: HandoffWire | undefined;
  return {
    prepare: async () => {
      wire = await HandoffWire.open(runtimeDir);
      dropFds(await wire.ask(claim));
      dropFds(await wire.ask({ allocate: { ...allocation, grantKinds: [KIND] } }));
    },
    measured: async () => {
      wire?.close();
      await sleep(SESSION_END_MS);
    },
    undo: nothing,
    close: () => owner.close(),
  };
};

/** An Allocate of NAMED MAPPABLE memory on the control socket. */
const openGrpcAllocate: Open = async (runtimeDir) => {
  const control = new ControlWire(runtimeDir);
  return {
    prepare: nothing,
    measured: async () => void (await control.call('Allocate', { ...allocation, name: NAME })),
    undo: async () => void (await control.call('FreeAllocation', { allocation: { name: NAME } })),
    close: () => control.close(),
  };
};

export const OPERATIONS = {
  claim: openClaim,
  allocate: openAllocate,
  'session-end': openSessionEnd,
  'grpc-allocate': openGrpcAllocate,
};
export type OperationName = keyof typeof OPERATIONS;

/** A daemon whose function calls are counted. */
class CountedDaemon implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #log: string[] = [];

  private constructor(checkout: string, runtimeDir: string) {
    const config = join(runtimeDir, 'policy.toml');
    writeFileSync(config, ANYBODY);
    const hook = new URL('./coverage-hook.js', import.meta.url).href;
    const program = join(checkout, 'daemon/dist/main.js');
    const args = ['--import', hook, program, '--runtime-dir', runtimeDir, '--config', config];
    this.#child = spawn(...plainNode(args), {
      env: { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (text) => this.#log.push(String(text)));
  }

  /** @throws Error if it ends before it serves requests. */
  static async start(checkout: string, runtimeDir: string): Promise<CountedDaemon> {
    const daemon = new CountedDaemon(checkout, runtimeDir);
    const child = daemon.#child;
    await new Promise<void>((resolve, reject) => {
      if (!child.stdout) throw new Error('no standard output');
      const lines = createInterface({ input: child.stdout });
      lines.on('line', (line) => startLineOf(line) && resolve());
      lines.once('close', () => reject(new Error(`the daemon ended: ${daemon.#log.join('')}`)));
    });
    return daemon;
  }

  /** The functions of daemon/ and proto/ that were called since the previous call. */
  async entered(): Promise<Set<string>> {
    const answered = once(this.#child, 'message');
    this.#child.send('take');
    const [entered] = (await answered) as [Entered[]];
    const ours = entered.filter(([url]) => /\/(daemon|proto)\/dist\//.test(url));
    return new Set(ours.map(([url, offset]) => `${url}#${offset}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
  }
}

/** The elements that all sets contain. */
function inAll<T>([first, ...rest]: readonly ReadonlySet<T>[]): T[] {
  return [...(first ?? [])].filter((value) => rest.every((set) => set.has(value)));
}

async function measure(daemon: CountedDaemon, operation: Operation): Promise<string[]> {
  const round = async () => {
    await operation.prepare();
    await sleep(SETTLE_MS);
    await daemon.entered();
    await operation.measured();
    const entered = await daemon.entered();
    await operation.undo();
    return entered;
  };
  for (let i = 0; i < WARM_UP_ROUNDS; i += 1) {
    await operation.prepare();
    await operation.measured();
    await operation.undo();
  }
  const rounds: Set<string>[] = [];
  for (let i = 0; i < ROUNDS; i += 1) rounds.push(await round());
  await sleep(SETTLE_MS);
  await daemon.entered();
  await sleep(IDLE_MS);
  const idle = await daemon.entered();
  return inAll(rounds).filter((entered) => !idle.has(entered));
}

/**
 * The sources that the operation executes, as sorted paths from the checkout.
 * @param checkout a built checkout, of this or another version.
 */
export async function enteredFiles(name: OperationName, checkout = root): Promise<string[]> {
  const runtimeDir = mkdtempSync(join(tmpdir(), 'vkmemd-entered-'));
  try {
    await using daemon = await CountedDaemon.start(checkout, runtimeDir);
    const operation = await OPERATIONS[name](runtimeDir);
    try {
      const functions = await measure(daemon, operation);
      const paths = functions.map((entered) => relative(checkout, fileURLToPath(entered.replace(/#.*/, ''))));
      return [...new Set(paths.map((path) => path.replace('/dist/', '/').replace(/js$/, 'ts')))].sort();
    } finally {
      operation.close();
    }
  } finally {
    rmSync(runtimeDir, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name = '', checkout = root] = process.argv.slice(2);
  if (!(name in OPERATIONS)) throw new Error(`give one of ${Object.keys(OPERATIONS).join(', ')}`);
  const files = await enteredFiles(name as OperationName, checkout);
  console.log(`${files.length} files\n${files.join('\n')}`);
}
