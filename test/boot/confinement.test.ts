/**
 * The launcher and confine() under the settings of the service: its filter of system calls allows what they
 * need, and the program that they start has neither capabilities nor files.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';
import { Booted, SERVICE } from './booted.js';
import { unbootable } from './namespaces.js';
import { NODE, TREE } from './places.js';

const LAUNCHER = `${TREE}/proto/native/build/Release/vkmemd_front_launcher`;
const PROGRAM = '/run/confined.mjs';
/** Settings of the service by which it is started, or which it shares with the daemon. */
const LEFT =
  /^(Type|NotifyAccess|Sockets|Exec\w+|Watchdog\w+|Timeout\w+|Restart\w*|FileDescriptorStoreMax|RuntimeDirectory\w*)=/;
const SCRIPT = `
import { readFileSync } from 'node:fs';
import { confine } from '${TREE}/proto/dist/kernel/index.js';
const status = readFileSync('/proc/self/status', 'utf8');
const score = readFileSync('/proc/self/oom_score_adj', 'utf8').trim();
confine();
let opened = 'yes';
try { readFileSync('/dev/null'); } catch ({ code }) { opened = code; }
const field = (name) => new RegExp('^' + name + ':\\\\s+(\\\\w+)$', 'm').exec(status)?.[1];
console.log(JSON.stringify({ score, opened, CapPrm: field('CapPrm'), NoNewPrivs: field('NoNewPrivs') }));
`;

t.test('the launcher works in the service', { skip: unbootable(), timeout: 120_000 }, async (t) => {
  const booted = await Booted.start(t);
  t.match(await booted.show(SERVICE, 'OOMPolicy'), { OOMPolicy: 'continue' });
  const [, settings = ''] = readFileSync(join(root, 'systemd/vkmemd.service'), 'utf8').split('[Service]\n');
  const shared = settings
    .replace(/\[Install\][\s\S]*/, '')
    .split('\n')
    .filter((line) => !LEFT.test(line));
  writeFileSync(booted.path(PROGRAM), SCRIPT);
  const unit = ['[Service]', 'Type=oneshot', `ExecStart=${LAUNCHER} ${NODE} ${PROGRAM}`, ...shared];
  writeFileSync(booted.path('/etc/systemd/system/confined.service'), unit.join('\n'));
  await booted.systemctl('daemon-reload');
  const { status, stderr } = await booted.run('systemctl', 'start', 'confined.service');
  const lines = (await booted.journal('_SYSTEMD_UNIT=confined.service')).map(({ MESSAGE }) => MESSAGE);
  t.equal(status, 0, `${stderr}${lines.join('\n')}`);
  t.equal(lines.length, 1, lines.join('\n'));
  t.match(JSON.parse(lines[0] ?? ''), {
    score: /^\d{3,4}$/,
    opened: 'EACCES',
    CapPrm: /^0{16}$/,
    NoNewPrivs: '1',
  });
});
