/** The options of the benchmark. */
import { parseArgs } from 'node:util';
import { KEY_NAMES, type KeyName } from './keys.js';
import { MAX_STARTS, MIN_STARTS } from './starts.js';
import { keyList } from './table.js';

export const USAGE = `Usage: npm run --silent bench -- [OPTION]...

Measures a daemon that it starts, as ratios to the same in C or to others, in at most eight minutes. For most keys the
daemon is started again until ${MIN_STARTS} to ${MAX_STARTS} starts agree.

  --only KEY[,KEY] measure these keys; default all of them
  --json           print one JSON object in place of a table
  --quick          measure little, to see that everything works
  --cpus N         processors for daemon, client and floor together; default 1
  --compare FILE   compare the ratios of repeated starts with those of FILE (written by --json), and exit with 1 if one
                   is 12.5 % worse: so one of 15 % is found, whatever the noise
  --check          exit with 1 if a goal is missed, naming its key
  --help           print this text

Keys:
${keyList()}
`;

export class WrongUse extends Error {}

export interface Options {
  readonly only: readonly KeyName[];
  readonly json: boolean;
  readonly quick: boolean;
  readonly cpus: number;
  readonly compare: string | undefined;
  readonly check: boolean;
  readonly help: boolean;
}

function keysOf(list: string): KeyName[] {
  const wanted = list.split(',');
  const unknown = wanted.find((key) => !(KEY_NAMES as readonly string[]).includes(key));
  if (unknown !== undefined)
    throw new Error(`--only ${list}: no key ${unknown}; the keys are ${KEY_NAMES.join(', ')}`);
  return KEY_NAMES.filter((key) => wanted.includes(key));
}

/** @throws WrongUse */
export function optionsOf(args: readonly string[]): Options {
  const boolean = { type: 'boolean', default: false } as const;
  const options = {
    only: { type: 'string', default: KEY_NAMES.join(',') },
    json: boolean,
    quick: boolean,
    cpus: { type: 'string', default: '1' },
    compare: { type: 'string' },
    check: boolean,
    help: boolean,
  } as const;
  try {
    const { values } = parseArgs({ args: [...args], options });
    if (!/^[1-9]\d{0,3}$/.test(values.cpus))
      throw new Error(`--cpus ${values.cpus} is not a number from 1 on`);
    if (values.quick && values.compare !== undefined) {
      throw new Error('--quick measures too little for --compare');
    }
    return {
      ...values,
      only: keysOf(values.only),
      cpus: Number(values.cpus),
      compare: values.compare,
    };
  } catch (failure) {
    throw new WrongUse((failure as Error).message);
  }
}
