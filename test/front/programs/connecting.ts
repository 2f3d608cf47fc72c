/**
 * A front that is not confined, and connects to the handoff socket by its own pid. Prints the code of the
 * refusal, and ends. Argument: the runtime folder.
 */
import { VkmemError } from '@vkmemd/proto';
import { HandoffWire } from '../../support/handoff-wire.js';

/** Until the core listens. */
async function connectedWhenThere(): Promise<string> {
  for (;;) {
    try {
      await HandoffWire.open(process.argv[2] ?? '');
      return 'served';
    } catch (failure) {
      if (failure instanceof VkmemError && failure.code !== 'UNAVAILABLE') return failure.code;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

process.stdout.write(`${await connectedWhenThere()}\n`, () => process.exit(0));
