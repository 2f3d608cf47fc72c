/** vkmemctl exec --sandbox: what a command inside, possibly run by root, can change on the host. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon, temporaryFolder } from '../support/daemon.js';
import { executed } from './support.js';

const noBwrap =
  spawnSync('bwrap', ['--ro-bind', '/', '/', 'true']).status === 0 ? false : 'bwrap cannot be run here';
const python = '/usr/bin/python3';
const noPython = spawnSync(python, ['--version']).error ? `no ${python} here` : noBwrap;

/** Opens every file in /proc for writing and prints those that opened. Writes nothing. */
const OPENED = `
import json, os, stat
opened = []
for folder, folders, files in os.walk("/proc"):
    folders[:] = [name for name in folders if not (folder == "/proc" and name.isdigit() and int(name) != os.getpid())
                  and name not in ("fd", "map_files", "cwd", "root", "task")]
    for name in files:
        path = os.path.join(folder, name)
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode): continue
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            opened.append(path)
        except OSError:
            pass
print(json.dumps(opened))
`;

t.test('a sandboxed command cannot write to /proc', { skip: noPython }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const { code, stdout, stderr } = await executed(runtimeDir, ['--sandbox', '--', python, '-c', OPENED]);
  t.match({ code, stderr }, { code: 0, stderr: '' });
  t.strictSame(JSON.parse(stdout || '{}'), [], 'this includes core_pattern');
});

t.test('a sandboxed command can write only to what --rw shows', { skip: noBwrap }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const folder = temporaryFolder(t);
  const [outer, inner, within] = ['outer', 'outer/inner', 'outer/inner/within'].map((name) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'kept'), 'old');
    return join(folder, name);
  }) as [string, string, string];
  const script = 'for at; do (echo new > "$at/kept"; touch "$at/added") 2>/dev/null; done; true';
  const run = (...shown: string[]) =>
    executed(runtimeDir, ['--sandbox', ...shown, '--', 'sh', '-c', script, 'sh', outer, inner, within]);
  t.match(await run('--rw', outer, '--ro', inner), { code: 0, stderr: '' });
  t.strictSame(readdirSync(outer), ['added', 'inner', 'kept']);
  t.equal(readFileSync(join(inner, 'kept'), 'utf8'), 'old', 'a --ro path inside an --rw path is read-only');
  t.strictSame(readdirSync(within), ['kept'], 'and its contents are unchanged');
  t.match(await run('--rw', within, '--ro', outer), { code: 0, stderr: '' });
  t.equal(readFileSync(join(inner, 'kept'), 'utf8'), 'old');
  t.equal(readFileSync(join(within, 'kept'), 'utf8'), 'new\n', 'an --rw path inside a --ro path is writable');
});
