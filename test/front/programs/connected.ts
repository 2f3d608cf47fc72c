/**
 * Connects to the control socket and opens a session, and holds both until standard input ends. Prints, as
 * JSON, the session's token.
 *
 * Arguments: the runtime folder.
 */
import { join } from 'node:path';
import { CONTROL_SOCKET, openStream } from '@vkmemd/proto';
import { HandoffWire } from '../../support/handoff-wire.js';

const [runtimeDir = ''] = process.argv.slice(2);
const control = openStream(join(runtimeDir, CONTROL_SOCKET));
const wire = await HandoffWire.open(runtimeDir);
process.stdout.write(`${JSON.stringify({ token: wire.welcome.sessionToken })}\n`);
process.stdin.resume().once('end', () => {
  wire.close();
  control.close();
});
