/**
 * An attacker's process: executes one action after the other on command. It ends with its standard input, and
 * possibly before.
 */
import { type Action, Breach } from '../behaviour.js';
import { behaviours } from '../behaviours/index.js';
import { endUnheard, type FromAttacker, listen, send, type ToAttacker } from '../messages.js';
import { streamOf } from '../plan.js';
import { Random } from '../random.js';
import { Leftovers, type Scene, Stage, wordFor } from '../stage.js';

const say = (message: FromAttacker): void => send(process.stdout, message);
const leftovers = new Leftovers();
let scene: Scene | undefined;
let seed = '';

async function perform(action: Action): Promise<void> {
  const behaviour = behaviours.find(({ name }) => name === action.name);
  if (!behaviour || !scene) throw new Error(`no behaviour ${action.name}`);
  const stage = new Stage(scene, leftovers);
  const done = action.number;
  say({ begun: done });
  try {
    const random = new Random(`${seed}/${streamOf(action)}`);
    const outcome = await behaviour.perform(stage, action.params, random).catch(wordFor);
    say({ done, outcome });
  } catch (failure) {
    if (!(failure instanceof Breach)) throw failure;
    say({ done, breach: `${action.name}: ${failure.message}` });
  } finally {
    stage.end();
  }
}

function failed(failure: unknown): void {
  say({ failed: failure instanceof Error ? (failure.stack ?? failure.message) : String(failure) });
}

endUnheard();
process.on('uncaughtException', failed);
say({ ready: true });
await listen<ToAttacker>(process.stdin, (message) => {
  if ('scene' in message) ({ scene, seed } = message);
  else perform(message.action).catch(failed);
});
process.exit(0);
