/**
 * Connects once or several times, as another user. Prints the result of each attempt as JSON: 'served', or
 * the code of the error.
 *
 * Arguments: the runtime folder; `control` for the control socket, and the number of attempts.
 */
import { VkmemError } from '@vkmemd/proto';
import { ControlWire } from './control-wire.js';
import { HandoffWire } from './handoff-wire.js';

const [runtimeDir = '', plane = 'handoff', count = '1'] = process.argv.slice(2);

async function reported(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'served';
  } catch (failure) {
    return failure instanceof VkmemError ? failure.code : String(failure);
  }
}

if (plane === 'handoff') {
  let wire: HandoffWire | undefined;
  const answer = await reported(
    HandoffWire.open(runtimeDir).then((opened) => {
      wire = opened;
    }),
  );
  wire?.close();
  process.stdout.write(JSON.stringify(answer));
} else {
  const controls: ControlWire[] = [];
  const answers: string[] = [];
  // Each calls as soon as it is connected: a refused one that is silent for long is closed.
  while (controls.length < Number(count)) {
    const control = new ControlWire(runtimeDir);
    controls.push(control);
    answers.push(await reported(control.budget()));
  }
  for (const control of controls) control.close();
  process.stdout.write(JSON.stringify(answers));
}
