/**
 * Tries what a policy permits to the current user. Prints one result for each attempt, as JSON.
 *
 * Argument: the runtime folder.
 */
import { type Draft, VkmemError } from '@vkmemd/proto';
import { ControlWire } from './control-wire.js';
import { HandoffWire } from './handoff-wire.js';

const [runtimeDir = ''] = process.argv.slice(2);
/** google.rpc.Code. */
const UNAVAILABLE = 14;
const kinds = ['KIND_MAPPABLE'] as const;

/** The code that an attempt is refused with; 'served' where it succeeds; 'disconnected' without a reason. */
async function attempt(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'served';
  } catch (failure) {
    if (failure instanceof VkmemError) return failure.code;
    return (failure as { code?: unknown }).code === UNAVAILABLE ? 'disconnected' : String(failure);
  }
}

const control = new ControlWire(runtimeDir);
const wire = new HandoffWire(runtimeDir);
const hello = await attempt(wire.greet('visitor'));
const allocated = async (request: Draft<'AllocateRequest'>) => {
  const answer = await attempt(wire.ask({ allocate: { sizeBytes: 4096n, kinds, ...request } }));
  if (answer === 'served' && request.name) await wire.ask({ free: { allocation: { name: request.name } } });
  return answer;
};
const answers = {
  hello,
  ...(hello === 'served'
    ? { session: await allocated({}), named: await allocated({ name: `visitor-${process.pid}` }) }
    : { closed: (await wire.closed).length === 0 }),
  list: await attempt(control.call('ListAllocations', {})),
  reload: await attempt(control.call('ReloadPolicy', {})),
};
wire.close();
control.close();
process.stdout.write(JSON.stringify(answers));
