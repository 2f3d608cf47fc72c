/**
 * Another user, who would end somebody else's entrusted session: the code that it is refused with, as JSON.
 *
 * Arguments: the runtime folder, the session's id.
 */
import { VkmemError } from '@vkmemd/proto';
import { HandoffWire } from '../support/handoff-wire.js';

const [runtimeDir = '', sessionId = ''] = process.argv.slice(2);
const wire = await HandoffWire.open(runtimeDir);
let code = 'served';
try {
  await wire.ask({ endEntrusted: { sessionId: BigInt(sessionId) } });
} catch (failure) {
  if (!(failure instanceof VkmemError)) throw failure;
  code = failure.code;
}
wire.close();
process.stdout.write(JSON.stringify(code));
