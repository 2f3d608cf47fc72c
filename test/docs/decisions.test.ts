/** docs/decisions: each record is in the index, has its three sections and is short. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

const folder = join(root, 'docs/decisions');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const records = readdirSync(folder)
  .filter((name) => name !== 'README.md')
  .sort();

t.test('the index lists every record', async (t) => {
  const listed = [...read('README.md').matchAll(/^(\d+)\. \[(.*)\]\((.*)\)$/gm)];
  t.strictSame(
    listed.map(([, number = '', title, file]) => ({ file, title: `# ${number}. ${title}` })),
    records.map((file) => ({ file, title: read(file).split('\n')[0] })),
    'it has every record, with its title',
  );
});

for (const name of records) {
  t.test(name, async (t) => {
    t.match(name, /^\d{4}-[a-z0-9-]+\.md$/);
    const text = read(name);
    t.match(text, new RegExp(`^# ${Number(name.slice(0, 4))}[.] `), 'its number');
    const sections = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    t.strictSame(sections, ['Context', 'Decision', 'Consequences']);
    const words = text.split(/\s+/).length - 1;
    t.ok(words >= 120 && words <= 210, `${words} words`);
  });
}
