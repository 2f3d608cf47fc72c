/**
 * A service manager with an fd store, as the daemon's: stores fds by name, removes them, and answers barriers by
 * closing their fd. Prints a JSON line when it listens, and the number of stored fds for each line on standard
 * input.
 *
 * Arguments: the path of its socket.
 */
import { createInterface } from 'node:readline';
import { closeAll, DatagramReceiver, type OwnedFd } from '@vkmemd/proto';
import { endUnheard, type FromManager, send } from '../messages.js';

const [address = ''] = process.argv.slice(2);
const stored = new Map<string, OwnedFd[]>();
const say = (message: FromManager): void => send(process.stdout, message);

function receive(data: Buffer, fds: readonly OwnedFd[]): void {
  const fields = new Map(
    data
      .toString()
      .split('\n')
      .map((line) => line.split('=', 2) as [string, string]),
  );
  const name = fields.get('FDNAME') ?? '';
  if (fields.get('FDSTORE') === '1') {
    stored.set(name, [...(stored.get(name) ?? []), ...fds]);
    return;
  }
  closeAll(fds);
  if (fields.get('FDSTOREREMOVE') !== '1') return;
  closeAll(stored.get(name) ?? []);
  stored.delete(name);
}

endUnheard();
DatagramReceiver.bind(address, {
  message: ({ data, fds }) => receive(data, fds),
  error: (failure) => {
    throw failure;
  },
});
say({ stored: 0 });
createInterface({ input: process.stdin })
  .on('line', () => say({ stored: [...stored.values()].flat().length }))
  .once('close', () => process.exit(0)); // The harness has ended.
