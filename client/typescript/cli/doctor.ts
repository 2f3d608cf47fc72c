/**
 * vkmemctl doctor: checks whether a worker on this host can use memory of the daemon, and prints what to do
 * if not.
 */
import type { Command } from 'commander';
import { actionOf, EXIT_FAILED, EXIT_UNREACHABLE, newCommand } from './command.js';
import { deviceObject, deviceText } from './device.js';
import { type Check, diagnose } from './diagnosis.js';
import { wrap } from './format.js';

const DESCRIPTION = `Check, step by step, whether a worker on this host can use memory of the daemon: the
sockets, the device, its kinds, and a small allocation that is mapped, written, copied by the device, read and
freed.

Exit code 1: a step failed. Exit code 69: no daemon answers.`;

const NAME_WIDTH = 16;
/** The rest of 100 columns beside the outcome and the name. */
const DETAIL_WIDTH = 75;
const INDENT = ' '.repeat(100 - DETAIL_WIDTH);

function lines({ name, ok, detail, next }: Check): string {
  const [first = '', ...rest] = [...wrap(detail, DETAIL_WIDTH), ...wrap(next, DETAIL_WIDTH)].filter(Boolean);
  const head = `${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(NAME_WIDTH)} ${first}`;
  return [head, ...rest.map((line) => INDENT + line)].join('\n');
}

export function doctorCommand(): Command {
  return newCommand('doctor', DESCRIPTION, ['doctor', 'doctor --json', 'doctor --runtime-dir /run/vkmemd'])
    .summary('check that memory can be allocated')
    .action(
      actionOf(async ({ place, control, print }) => {
        const { checks, devices, deviceState, answered } = await diagnose(place, control);
        const ok = checks.every((check) => check.ok);
        const object = {
          ok,
          checks,
          devices: devices.map((device) => deviceObject(device, deviceState)),
        };
        const texts = devices.map((device) => deviceText(device, deviceState));
        print(object, () => [checks.map(lines).join('\n'), ...texts].join('\n\n'));
        if (!ok) process.exitCode = answered ? EXIT_FAILED : EXIT_UNREACHABLE;
      }),
    );
}
