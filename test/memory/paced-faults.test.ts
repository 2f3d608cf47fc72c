/** Faults that clients cause again and again are logged a few times, and counted. */
import t from 'tap';
import { PacedFaults } from 'vkmemd/dist/memory/paced-faults.js';

t.test('the first faults of a kind are reported, then their number', async (t) => {
  const said: string[] = [];
  const paced = new PacedFaults((what) => said.push(what));
  for (let id = 0; id < 5000; id += 1)
    paced.fault(`allocation ${id} of 0123abcd${id} could not be freed`, new Error('no'));
  paced.fault('another kind', new Error('no'));
  t.equal(said.length, 11);
  t.equal(said.at(-1), 'another kind');
  paced[Symbol.dispose]();
  t.equal(said.length, 12);
  t.match(said.at(-1), /: 4990 more times within a minute/);
});

t.test('texts that clients choose make no more kinds than there may be', async (t) => {
  let count = 0;
  const paced = new PacedFaults(() => (count += 1));
  const letters = (id: number) => [...String(id)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
  for (let id = 0; id < 5000; id += 1) paced.fault(`a ${letters(id)} request failed`, undefined);
  t.ok(count <= 210, String(count));
  paced[Symbol.dispose]();
});
