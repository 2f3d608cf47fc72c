/**
 * Claims an allocation read-only and starts attacks.py, which tries to write to it. Prints the read-only
 * strength that the grant states and the result of each attack, as JSON.
 *
 * Arguments: the runtime folder, the allocation's name, the ids of processes that also have it mapped.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from './daemon.js';
import { HandoffWire } from './handoff-wire.js';

const [runtimeDir = '', name = '', ...pids] = process.argv.slice(2);
const wire = await HandoffWire.open(runtimeDir);
const claim = {
  allocation: { name },
  kinds: ['KIND_MAPPABLE'] as const,
  access: 'ACCESS_READ_ONLY' as const,
};
const { message, fds } = await wire.ask({ claim });
const [fd] = fds;
if (!fd) throw new Error('no fd was granted');
const program = join(root, 'test/support/attacks.py');
const attacks = spawn('python3', [program, ...pids], { stdio: ['ignore', 'pipe', 'inherit', fd.fd] });
let output = '';
attacks.stdout?.setEncoding('utf8').on('data', (text: string) => {
  output += text;
});
await new Promise((resolve) => attacks.once('close', resolve));
fd.close();
wire.close();
const readOnly = message.claim?.grants[0]?.readOnly;
process.stdout.write(JSON.stringify({ readOnly, ...JSON.parse(output) }));
