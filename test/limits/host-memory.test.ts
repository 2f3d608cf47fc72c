/** The limits of the host, as files of a folder describe them: control groups of both versions, and others. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { HostMemory } from 'vkmemd/dist/limits/host-memory.js';
import { temporaryFolder } from '../support/daemon.js';

const MIB = 2n ** 20n;
/** What is kept for the daemon itself. */
const MARGIN = 32n * MIB;
const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max file size             unlimited            unlimited            bytes
Max address space         unlimited            unlimited            bytes
`;
const MEMINFO = 'MemTotal: 16777216 kB\nMemAvailable:   8388608 kB\nSwapFree:  1048576 kB\n';
const UNIFIED = '30 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n';
const V1 = '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n';

type Files = Readonly<Record<string, string | bigint>>;

/** Limits read from these files. By default a machine without groups. */
function hostOf(t: Test, files: Files) {
  const root = temporaryFolder(t);
  const write = (more: Files) => {
    for (const [path, text] of Object.entries(more)) {
      const file = join(root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${text}\n`);
    }
  };
  write({ 'proc/meminfo': MEMINFO, 'proc/self/limits': LIMITS, 'proc/self/cgroup': '0::/' });
  write(files);
  return { host: new HostMemory(root), write };
}

t.test('a machine without control groups has what is available, and free swap', (t) => {
  const { host, write } = hostOf(t, {});
  t.same(host.left(), { bytes: 9216n * MIB, limit: 'MemAvailable of /proc/meminfo' });
  write({ 'proc/meminfo': 'MemTotal: 1 kB' });
  t.equal(host.left().limit, '', 'an unknown amount is no limit');
  t.equal(host.largestFile, undefined);
  t.end();
});

t.test('version 2: each level counts, max and high, less what is in use and cannot be reclaimed', (t) => {
  const slice = 'sys/fs/cgroup/system.slice';
  const own = `${slice}/vkmemd.service`;
  const stat = `anon 1\ninactive_file ${10n * MIB}\nactive_file ${20n * MIB}\nslab_reclaimable ${5n * MIB}`;
  const { host, write } = hostOf(t, {
    'proc/self/cgroup': '0::/system.slice/vkmemd.service',
    'proc/self/mountinfo': UNIFIED,
    [`${own}/memory.max`]: 'max',
    [`${own}/memory.high`]: 'max',
    [`${slice}/memory.max`]: 1000n * MIB,
    [`${slice}/memory.high`]: 'max',
    [`${slice}/memory.current`]: 300n * MIB,
    [`${slice}/memory.stat`]: stat,
    [`${slice}/memory.swap.max`]: 0n,
  });
  const left = (1000n - 300n + 10n + 10n + 5n) * MIB - MARGIN;
  t.same(host.left(), { bytes: left, limit: `/${slice}/memory.max` }, 'the level above');
  write({ [`${own}/memory.high`]: 400n * MIB, [`${own}/memory.current`]: 100n * MIB });
  write({ [`${own}/memory.swap.max`]: 50n * MIB, [`${own}/memory.swap.current`]: 20n * MIB });
  t.same(host.left(), { bytes: 330n * MIB - MARGIN, limit: `/${own}/memory.high` }, 'its own, with swap');
  write({ [`${own}/memory.current`]: 500n * MIB });
  t.equal(host.left().bytes, 0n, 'never less than nothing');
  write({ 'proc/self/cgroup': '0::/elsewhere', 'sys/fs/cgroup/elsewhere/memory.max': 64n * MIB });
  t.same(host.left(), {
    bytes: 64n * MIB + 1024n * MIB - MARGIN,
    limit: '/sys/fs/cgroup/elsewhere/memory.max',
  });
  t.end();
});

t.test('version 1: the memory controller, memory with swap too', (t) => {
  const own = 'sys/fs/cgroup/memory/a/b';
  const none = 0x7fff_ffff_ffff_f000n;
  const { host, write } = hostOf(t, {
    'proc/self/cgroup': '5:cpu,cpuacct:/x\n4:memory:/a/b\n0::/',
    'proc/self/mountinfo': V1,
    [`${own}/memory.limit_in_bytes`]: none,
    [`${own}/memory.memsw.limit_in_bytes`]: none,
    'sys/fs/cgroup/memory/a/memory.limit_in_bytes': 600n * MIB,
    'sys/fs/cgroup/memory/a/memory.usage_in_bytes': 100n * MIB,
    'sys/fs/cgroup/memory/a/memory.stat': `inactive_file 1\ntotal_inactive_file ${30n * MIB}`,
    'proc/meminfo': 'MemAvailable: 8388608 kB',
  });
  const above = '/sys/fs/cgroup/memory/a/memory.limit_in_bytes';
  t.same(host.left(), { bytes: 530n * MIB - MARGIN, limit: above });
  write({
    [`${own}/memory.memsw.limit_in_bytes`]: 200n * MIB,
    [`${own}/memory.memsw.usage_in_bytes`]: 90n * MIB,
  });
  t.same(host.left(), { bytes: 110n * MIB - MARGIN, limit: `/${own}/memory.memsw.limit_in_bytes` });
  t.end();
});

t.test('in a container only its own part of the hierarchy is mounted', (t) => {
  const { host, write } = hostOf(t, {
    'proc/self/cgroup': '4:memory:/docker/abc/inner\n0::/',
    'proc/self/mountinfo': V1.replace(' / /sys', ' /docker/abc /sys'),
    'sys/fs/cgroup/memory/memory.limit_in_bytes': 300n * MIB,
    'proc/meminfo': 'MemAvailable: 8388608 kB',
  });
  t.equal(host.left().bytes, 300n * MIB - MARGIN, 'the mount is the group of the container');
  write({ 'sys/fs/cgroup/memory/inner/memory.limit_in_bytes': 100n * MIB });
  write({ 'proc/self/cgroup': '4:memory:/docker/abc/inner\n0::/x' });
  t.equal(host.left().bytes, 100n * MIB - MARGIN, 'one below it');
  write({ 'proc/self/cgroup': '4:memory:/../other\n0::/' });
  t.equal(host.left().bytes, 300n * MIB - MARGIN, 'a path outside it');
  t.end();
});

t.test('limits of the process', (t) => {
  const limits = `Max file size             ${256n * MIB}            unlimited            bytes
Max address space         ${2048n * MIB}            unlimited            bytes`;
  const { host } = hostOf(t, {
    'proc/self/limits': limits,
    'proc/self/status': 'Name:\tnode\nVmSize:\t 1048576 kB',
  });
  t.same(host.left(), { bytes: 1024n * MIB - MARGIN, limit: 'RLIMIT_AS' });
  t.equal(host.largestFile, 256n * MIB);
  t.end();
});

t.test('this process has limits that can be read', (t) => {
  const { bytes, limit } = new HostMemory().left();
  t.ok(bytes > 0n, `${bytes} by ${limit}`);
  t.end();
});
