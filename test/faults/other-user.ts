/**
 * The answers that another user gets about an allocation: other-user.js RUNTIME_DIR ID NAME prints the code
 * of each request as JSON. The name belongs to root.
 */
import { ControlWire } from '../support/control-wire.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { refusalOf } from './support.js';

const [runtimeDir = '', id = '', name = ''] = process.argv.slice(2);
const wire = await HandoffWire.open(runtimeDir);
const control = new ControlWire(runtimeDir);
const reported: Record<string, string> = {};
for (const allocation of [{ id }, { name: `0/${name}` }]) {
  const asked = {
    get: () => control.call('GetAllocation', { allocation }),
    free: () => control.call('FreeAllocation', { allocation }),
    fill: () => control.call('Transfer', { fill: { allocation, pattern: 1 } }),
    claim: () => wire.ask({ claim: { allocation, kinds: ['KIND_MAPPABLE'] } }),
  };
  for (const [what, request] of Object.entries(asked)) {
    reported[`${what} ${JSON.stringify(allocation)}`] = (await refusalOf(request())).code;
  }
}
wire.close();
control.close();
process.stdout.write(JSON.stringify(reported));
