/**
 * `npm run dev` on a copy of the sources, which the test changes: a compile error leaves the daemon running,
 * a change that compiles restarts it, memory outlives that under the supervisor, and Ctrl-C leaves no process
 * and no folder.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { plainEnvironment, plainNode, root, temporaryFolder } from '../support/daemon.js';

const WORKSPACES = ['proto', 'daemon', 'client/typescript'];
/** Built, and the same whatever the sources are: addons, and the daemon's Node.js. */
const LINKED = ['proto/native/build', 'daemon/vulkan/native/build', 'daemon/runtime/node_modules'];
/** The file that the test changes, which the daemon loads. */
const CHANGED = 'daemon/version.ts';

/** The sources and their compiled output; addons, the daemon's Node.js and external packages are linked. */
function copySources(t: Test): string {
  const folder = temporaryFolder(t);
  const link = (path: string, target: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(target, join(folder, path));
  };
  const built = (path: string) => LINKED.some((each) => path === join(root, each));
  const options = { recursive: true, preserveTimestamps: true, filter: (path: string) => !built(path) };
  for (const path of ['package.json', 'tsconfig.base.json', 'scripts', ...WORKSPACES]) {
    cpSync(join(root, path), join(folder, path), options);
  }
  for (const path of LINKED) link(path, join(root, path));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== '@vkmemd' && name !== 'vkmemd')
      link(`node_modules/${name}`, join(root, 'node_modules', name));
  }
  link('node_modules/@vkmemd/proto', '../../proto');
  link('node_modules/@vkmemd/client', '../../client/typescript');
  link('node_modules/vkmemd', '../daemon');
  return folder;
}

/** Replaces the compiler in tests of other parts: its output is a comment. */
const STAND_IN = `
import { appendFileSync, watchFile } from 'node:fs';
console.log('Found 0 errors. Watching for file changes.');
watchFile('${CHANGED}', { interval: 20 }, () => {
  appendFileSync('${CHANGED.replace('/', '/dist/').replace(/ts$/, 'js')}', '// changed');
  console.log('Found 0 errors. Watching for file changes.');
});
`;

/** Waits for a value, for as long as a compiler takes on a busy machine. */
async function until<T>(what: () => string, look: () => T | undefined): Promise<T> {
  for (const end = Date.now() + 200_000; Date.now() < end; ) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`timed out: ${what()}`);
}

/** Processes whose command line names a path. */
function processesOf(path: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return /^\d+$/.test(pid) && line.includes(path) ? [`${pid} ${line}`] : [];
    } catch {
      return []; // It ended meanwhile.
    }
  });
}

class Dev {
  readonly sources: string;
  readonly temporary: string;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  readonly #pid: number;
  #output = '';
  #reports = '';

  /** @param compiler a program in place of the compiler. */
  constructor(t: Test, args: readonly string[], compiler?: string) {
    this.sources = copySources(t);
    if (compiler) {
      rmSync(join(this.sources, 'node_modules/typescript'));
      mkdirSync(join(this.sources, 'node_modules/typescript/bin'), { recursive: true });
      writeFileSync(join(this.sources, 'node_modules/typescript/package.json'), '{"type":"module"}');
      writeFileSync(join(this.sources, 'node_modules/typescript/bin/tsc'), compiler);
    }
    this.temporary = temporaryFolder(t);
    const config = join(this.sources, 'policy.toml');
    writeFileSync(config, '');
    const program = join(this.sources, 'scripts/dev.mjs');
    const child = spawn(...plainNode([program, '--config', config, ...args]), {
      env: { ...plainEnvironment(), TMPDIR: this.temporary, VKMEMD_TEST_PASSED_ON: 'yes' },
      // A group of its own, which Ctrl-C signals.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#pid = child.pid ?? 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#reports += text;
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve(code ?? signal));
    });
    t.teardown(async () => {
      child.kill('SIGTERM');
      await this.ended;
    });
  }

  get #ready() {
    const lines = this.#output.split('\n').filter((line) => / ready: /.test(line));
    return lines.map((line): { pid: number; msg: string } => JSON.parse(line));
  }

  /** The pid of the Nth daemon, once it is ready. */
  daemon(count: number): Promise<number> {
    const what = () => `daemon ${count}\n${this.#output}\n${this.#reports}`;
    return until(what, () => this.#ready[count - 1]?.pid);
  }

  /** Once a report matches. */
  reported(report: RegExp): Promise<string> {
    return until(
      () => `${report}\n${this.#reports}`,
      () => report.exec(this.#reports)?.[0],
    );
  }

  /** Changes what the daemon loads: replaces what was added before. */
  change(added: string): void {
    writeFileSync(join(this.sources, CHANGED), readFileSync(join(root, CHANGED), 'utf8') + added);
  }

  /** The temporary runtime folder. */
  get runtimeDir(): string {
    return /the runtime folder is (\S+)/.exec(this.#reports)?.[1] ?? '';
  }

  /** As the terminal does. */
  async interrupt(): Promise<number | NodeJS.Signals | null> {
    process.kill(-this.#pid, 'SIGINT');
    return this.ended;
  }
}

async function nothingIsLeft(t: Test, dev: Dev): Promise<void> {
  t.equal(await dev.interrupt(), 0, 'Ctrl-C ends it with 0');
  t.strictSame(processesOf(dev.sources), [], 'no process is left');
  t.strictSame(readdirSync(dev.temporary), [], 'and no temporary folder');
}

t.setTimeout(500_000);

t.test('a change restarts the daemon, a compile error does not', async (t) => {
  const dev = new Dev(t, []);
  const first = await dev.daemon(1);
  t.match(dev.runtimeDir, new RegExp(`^${dev.temporary}/vkmemd-dev-`));
  const environment = readFileSync(`/proc/${first}/environ`, 'utf8').split('\0');
  t.ok(environment.includes('VKMEMD_TEST_PASSED_ON=yes'), 'its environment is that of dev');
  t.match(
    environment.find((each) => each.startsWith('VK_DRIVER_FILES=')),
    /lvp_icd/,
    'on lavapipe',
  );

  dev.change("export const added: number = 'text';\n");
  await dev.reported(/daemon\/version\.ts.*error TS2322/);
  await dev.reported(/1 compile errors: the running daemon continues/);
  const control = new ControlWire(dev.runtimeDir);
  t.equal((await control.budget()).counts.sessions, 0, 'which serves');
  control.close();
  dev.change("export const added = 'text';\n");
  t.not(await dev.daemon(2), first);
  t.notOk(
    processesOf(dev.sources).some((line) => line.startsWith(`${first} `)),
    'the first has ended',
  );
  await nothingIsLeft(t, dev);
});

t.test('with --supervisor memory outlives a restart', async (t) => {
  const dev = new Dev(t, ['--supervisor'], STAND_IN);
  const first = await dev.daemon(1);
  const control = new ControlWire(dev.runtimeDir);
  const draft = {
    name: 'kept',
    sizeBytes: 4096n,
    kinds: ['KIND_MAPPABLE'],
    lifetime: 'LIFETIME_NAMED',
  } as const;
  const { allocation } = await control.call('Allocate', draft);
  control.close();
  dev.change("export const added = 'text';\n");
  t.not(await dev.daemon(2), first);
  const again = new ControlWire(dev.runtimeDir);
  const { allocations } = await again.call('ListAllocations', {});
  again.close();
  t.strictSame(
    allocations.map(({ id, name }) => ({ id, name })),
    [{ id: allocation?.id, name: 'kept' }],
  );
  await nothingIsLeft(t, dev);
});
