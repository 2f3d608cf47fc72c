/**
 * Another user who connects, once or more often: prints what it is told, 'served' or the code of the fault,
 * as JSON.
 *
 * Arguments: the runtime folder; `control` for the control socket, and how often.
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
  const controls = Array.from({ length: Number(count) }, () => new ControlWire(runtimeDir));
  const answers: string[] = [];
  for (const control of controls) answers.push(await reported(control.budget()));
  for (const control of controls) control.close();
  process.stdout.write(JSON.stringify(answers));
}
