/** A worker in a sandbox, which has neither a network nor a GPU: what it sees of memory. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { executed } from '../cli/support.js';
import { root } from '../support/daemon.js';
import type { Pattern } from './pattern.js';

const WORKER = join(root, 'test/dist/lab/rdma-worker.js');
/** The devices of the sandbox: none of a GPU, of RDMA or of a heap. */
const DEVICES = [
  ...['console', 'core', 'fd', 'full', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout'],
  ...['tty', 'urandom', 'zero'],
];

/** Asserts that a worker of `vkmemctl exec --sandbox` sees the pattern in all of named memory. */
export async function sandboxSees(
  t: Test,
  runtimeDir: string,
  name: string,
  bytes: number,
  { first, step }: Pattern,
): Promise<void> {
  const options = ['--sandbox', '--ro', root, '--allocate', `name=${name},size=${bytes},if-exists=claim`];
  const worker = [process.execPath, WORKER, name, String(first), String(step)];
  const { code, stdout, stderr } = await executed(runtimeDir, [...options, '--', ...worker]);
  t.same({ code, stderr }, { code: 0, stderr: '' });
  const { devices, interfaces, ...found } = JSON.parse(stdout);
  t.same(found, { bytes, other: 'none' }, 'a worker in a sandbox sees every byte');
  const others = interfaces.filter((each: string) => each !== 'lo');
  t.same(others, [], 'and no network');
  const devicesOfHost = devices.filter((each: string) => !DEVICES.includes(each));
  t.same(devicesOfHost, [], 'and no device of the host');
}
