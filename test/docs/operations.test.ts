/**
 * docs/operations.md quotes messages as the program writes them, because an operator searches the page for
 * what the journal shows.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root, startDaemon } from '../support/daemon.js';

const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');

/** Messages of systemd, in the same tables. */
const OF_SYSTEMD = ['Watchdog timeout', 'Main process exited, code=killed, status=9/KILL'];

function sourcesOf(folder: string): string {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries
    .filter(({ name }) => name !== 'dist' && name !== 'node_modules' && name !== 'build')
    .map((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return sourcesOf(path);
      return entry.name.endsWith('.ts') ? readFileSync(join(root, path), 'utf8') : '';
    })
    .join('\n');
}

t.test('the quoted messages are those of the program', async (t) => {
  const sources = sourcesOf('daemon');
  const [, troubles = ''] = page.split('## Troubleshooting');
  const symptoms = [...troubles.matchAll(/^\| (.*?) \|/gm)].map(([, symptom = '']) => symptom);
  const [, restored = ''] = /an fd store logs `([^`]*)`/.exec(page.replace(/\s+/g, ' ')) ?? [];
  const quoted = [...symptoms.join('\n').matchAll(/`([^`]*)`/g)].map(([, text = '']) => text);
  const messages = [restored, ...quoted].filter((text) => text.includes(' ') && !OF_SYSTEMD.includes(text));
  t.ok(messages.length >= 8);
  const missing = messages.filter((text) => text.split('…').some((part) => !sources.includes(part.trim())));
  t.strictSame(missing, []);
});

t.test('a JSON line of the log has the described fields', async (t) => {
  const { log, pid } = await startDaemon(t);
  const lines = log()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  t.ok(lines.length > 0);
  for (const line of lines) {
    t.match(line, { level: Number, time: Number, name: 'vkmemd', pid, hostname: String, msg: String });
    t.ok(Math.abs(line.time - Date.now()) < 600_000, 'milliseconds since 1970');
  }
  const [, described = ''] = /A JSON line has ([\s\S]*?)\n\n/.exec(page) ?? [];
  for (const field of ['level', 'time', 'name', 'pid', 'hostname', 'msg', 'device', 'err', 'code']) {
    t.match(described, `\`${field}\``, field);
  }
});
