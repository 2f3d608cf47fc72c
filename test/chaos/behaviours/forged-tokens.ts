/** Session tokens of another user, of another incarnation of the daemon, guessed, or invalid text. */
import { type Behaviour, Breach } from '../behaviour.js';
import type { Random } from '../random.js';
import { type Prey, refusalOf } from '../stage.js';

const FORGERIES: Readonly<Record<string, (token: string, random: Random) => string>> = {
  stolen: (token) => token,
  'cut short': (token) => token.slice(0, -1),
  'one more': (token) => `${token}A`,
  'one bit off': (token, random) => {
    const at = random.below(token.length);
    const letter = token[at] === 'A' ? 'B' : 'A';
    return token.slice(0, at) + letter + token.slice(at + 1);
  },
  'another start': (token, random) => `${random.bytes(8).toString('hex')}.${token.split('.')[1] ?? ''}`,
  guessed: (token, random) => `${token.split('.')[0] ?? ''}.${random.bytes(24).toString('base64url')}`,
  long: (_, random) => random.bytes(4000).toString('hex'),
  empty: () => '',
};

export const forgedTokens: Behaviour<{ prey: number; forgery: string; calls: number }> = {
  name: 'forged-tokens',
  weight: 4,
  needs: ['others'],
  plan: (random) => ({
    prey: random.below(64),
    forgery: random.pick(Object.keys(FORGERIES)),
    calls: random.pick([1, 1, 10]),
  }),
  async perform(stage, { prey, forgery, calls }, random) {
    const token = (stage.prey[prey % stage.prey.length] as Prey | undefined)?.token ?? '';
    let result = 'nothing';
    for (let i = 0; i < calls; i += 1) {
      const control = stage.control(FORGERIES[forgery]?.(token, random));
      const request = { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] as const };
      result = await refusalOf(control.call('Allocate', request));
      if (result === 'served') throw new Breach(`a token that was ${forgery} was accepted`);
      control.close();
    }
    return `${forgery} ${result}`;
  },
};
