/**
 * Another user that tries to end an entrusted session: prints the code of the refusal, as JSON.
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
