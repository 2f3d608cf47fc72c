/** The supervisors of several daemons as one service: what the manager receives, and which devices are chosen. */
import t from 'tap';
import { Fleet } from 'vkmemd/dist/supervisor/fleet.js';
import { chooseGpus, commonArguments } from 'vkmemd/dist/supervisor/gpus.js';
import { sharedMax } from 'vkmemd/dist/supervisor/settings.js';
import { until } from '../native/open-fds.js';

const READY = new Map([['READY', '1']]);

function recorded(names: readonly string[], lateMs?: number) {
  const sent: string[] = [];
  const manager = {
    ready: () => void sent.push('READY'),
    status: (text: string) => void sent.push(text),
    stopping: () => void sent.push('STOPPING'),
  };
  return { fleet: new Fleet(names, manager, lateMs), sent };
}

t.test('it is ready when every daemon was ready or has ended, and one is ready', async (t) => {
  const { fleet, sent } = recorded(['a', 'b', 'c']);
  using _ = fleet;
  fleet.reportsOf('a').status('ended');
  fleet.reportsOf('b').forward(READY);
  fleet.reportsOf('b').forward(new Map([['STATUS', 'of one']]));
  t.strictSame(sent, ['0 of 3 daemons are ready.', '1 of 3 daemons are ready.']);
  fleet.reportsOf('c').forward(READY);
  t.strictSame(sent.slice(2), ['2 of 3 daemons are ready.', 'READY']);
  fleet.reportsOf('b').status('ended');
  fleet.reportsOf('b').forward(READY);
  t.strictSame(
    sent.slice(4),
    ['1 of 3 daemons are ready.', '2 of 3 daemons are ready.'],
    'READY is sent once',
  );
  fleet.stop();
  fleet.stop();
  t.strictSame(sent.slice(6), ['STOPPING']);
});

t.test('one that is still starting is not waited for without end', async (t) => {
  const { fleet, sent } = recorded(['a', 'b'], 1);
  using _ = fleet;
  fleet.reportsOf('a').forward(READY);
  await until(() => sent.includes('READY'), 10_000);
  t.strictSame(sent, ['1 of 2 daemons are ready.', 'READY']);
});

t.test('the first start of one is final only if that of all is refused', async (t) => {
  const { fleet, sent } = recorded(['a', 'b']);
  using _ = fleet;
  t.equal(fleet.isLast('a', 78), false);
  t.equal(fleet.isLast('a', 78), false, 'the same one again');
  t.equal(fleet.isLast('b', 64), true);
  t.strictSame(sent, ['STOPPING']);
  t.equal(await fleet.run(), 64);
});

t.test('GPUs are chosen, and software devices where there is no GPU', async (t) => {
  const gpu = (index: number, type: string, uuid = `${index}1112222-3333-4444-5555-666677778888`) => ({
    index,
    uuid,
    type,
    name: type,
  });
  const [one, other, cpu] = [gpu(0, 'discrete'), gpu(1, 'integrated'), gpu(2, 'cpu')];
  t.strictSame(chooseGpus([one, other, cpu], false), [one, other]);
  t.strictSame(chooseGpus([one, other, cpu], true), [one, other, cpu]);
  t.strictSame(chooseGpus([cpu], false), [cpu]);
  const again = gpu(0, 'discrete', '91112222-3333-4444-5555-666677778888');
  t.strictSame(chooseGpus([one, again, other], false), [one, other], 'one daemon for two drivers of one GPU');
  t.throws(() => chooseGpus([], false), /No device was found/);
  t.throws(() => chooseGpus([gpu(0, 'discrete', '../../etc')], false), /No device was found/);
});

t.test('arguments of all, and of one', async (t) => {
  const args = ['--runtime-dir', '/a', '--config', 'x', '--runtime-dir=/b', '--log-level=debug'];
  t.strictSame(commonArguments(args), ['--config', 'x', '--log-level=debug']);
  for (const option of ['--device=0', '--device', '--admin-listen'])
    t.throws(() => commonArguments([option, 'x']), /cannot be used with --all/, option);
});

t.test('daemons share the fds that are allowed', async (t) => {
  t.equal(sharedMax(8, 1_048_576), 16_384);
  t.equal(sharedMax(8, 131_072), 16_320);
  t.equal(sharedMax(4, 600), 22);
  t.equal(sharedMax(4, 100), 1);
});
