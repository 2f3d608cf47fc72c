/**
 * A worker that `vkmemctl exec --sandbox` runs: compares every word of the memory that it inherited with a
 * pattern, and prints what it found and what else it sees. Usage: rdma-worker.js LABEL FIRST STEP
 */
import { readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { connect } from '@vkmemd/client';
import { firstOther } from './pattern.js';

const [label = '', first, step] = process.argv.slice(2);
await using client = await connect({ clientName: 'rdma worker' });
await using memory = await client.claim({ id: client.inherited.get(label) ?? '' }, { access: 'ro' });
using map = memory.map();
const other = firstOther(map.bytes, { first: Number(first), step: Number(step) });
const found = {
  bytes: map.length,
  other: other ?? 'none',
  interfaces: Object.keys(networkInterfaces()),
  devices: readdirSync('/dev'),
};
process.stdout.write(`${JSON.stringify(found)}\n`);
