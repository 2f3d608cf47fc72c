/** The arguments of `vkmemctl exec --allocate`, parsed into requests, and every mistake in them. */
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

/** Not exported by the package: internal to vkmemctl. */
const { parseAllWanted } = (await import(join(root, 'client/typescript/dist/cli/allocate-option.js'))) as {
  parseAllWanted(texts: readonly string[]): object[];
};
const one = (text: string) => parseAllWanted([text])[0];

t.test('valid arguments become requests', async (t) => {
  t.match(one('name=frames,size=64M'), {
    label: 'frames',
    orExisting: false,
    request: {
      sizeBytes: 64n << 20n,
      kinds: ['KIND_MAPPABLE'],
      grantKinds: [],
      lifetime: 'LIFETIME_NAMED',
      name: 'frames',
      sharing: 'SHARING_UNSPECIFIED',
      publishable: false,
    },
  });
  t.match(one(' size=1 , name=a.b-c_D9,lifetime=Session'), {
    label: 'a.b-c_D9',
    request: { sizeBytes: 1n, lifetime: 'LIFETIME_SESSION', name: '' },
  });
  t.match(one('name=x,size=1,kind=mappable+OPAQUE_FD,sharing=one-writer,publishable,if-exists=claim'), {
    orExisting: true,
    request: {
      kinds: ['KIND_MAPPABLE', 'KIND_OPAQUE_FD'],
      sharing: 'SHARING_ONE_WRITER',
      publishable: true,
    },
  });
  t.match(one('name=33/frames,size=1,if-exists=claim'), {
    label: '33/frames',
    foreign: true,
    request: { name: 'frames' },
  });
  t.match(one('name=x,size=1,kind=opaque_fd,dedicated=always'), {
    request: { dedication: 'DEDICATION_ALWAYS' },
  });
  t.match(one('name=x,size=1,publishable=false'), { request: { publishable: false } });
  t.match(one('name=x,size=1,power-of-two,align=64K,prefault=TRUE,huge-pages=2M,reopenable=false'), {
    request: {
      hints: {
        powerOfTwo: true,
        alignmentBytes: 65_536n,
        prefault: true,
        hugePageBytes: 2n << 20n,
        reopenable: false,
      },
    },
  });
  t.equal(parseAllWanted([]).length, 0);
});

t.test('invalid arguments are rejected with the field', async (t) => {
  const cases: [string, string][] = [
    ['name=x', 'INVALID_ARGUMENT'],
    ['size=1M', 'INVALID_ARGUMENT'],
    ['', 'INVALID_ARGUMENT'],
    ['frames', 'INVALID_ARGUMENT'],
    ['name=,size=1M', 'INVALID_ARGUMENT'],
    ['name=x,size=1M,', 'INVALID_ARGUMENT'],
    ['name=33/frames,size=1M', 'INVALID_ARGUMENT'],
    ['name=www-data/frames,size=1M,if-exists=claim', 'INVALID_NAME'],
    ['name=33/,size=1M,if-exists=claim', 'INVALID_NAME'],
    ['name=x,size=1M,colour=red', 'INVALID_ARGUMENT'],
    ['name=x,size=1M,size=2M', 'INVALID_ARGUMENT'],
    ['name=x,size=1M,lifetime=forever', 'INVALID_ARGUMENT'],
    ['name=x,size=1M,sharing=some', 'INVALID_ARGUMENT'],
    ['name=x,size=1M,publishable=perhaps', 'INVALID_ARGUMENT'],
    ['name=x,size=1M,dedicated=often', 'INVALID_ARGUMENT'],
    ['name=x,size=1M,prefault=perhaps', 'INVALID_ARGUMENT'],
    ['name=x,size=1M,align', 'INVALID_ARGUMENT'],
    ['name=x,size=1M,align=3K5', 'INVALID_SIZE'],
    ['name=x,size=1M,if-exists=free', 'INVALID_ARGUMENT'],
    ['name=x,size=1M,if-exists=claim,lifetime=session', 'INVALID_ARGUMENT'],
    ['name=a b,size=1M', 'INVALID_NAME'],
    ['name=x,size=1MB', 'INVALID_SIZE'],
    ['name=x,size=0', 'INVALID_SIZE'],
    ['name=x,size=9999999999G', 'SIZE_ABOVE_MAXIMUM'],
    ['name=x,size=1M,kind=paper', 'KIND_UNSUPPORTED'],
    ['name=x,size=1M,kind=mappable+', 'KIND_UNSUPPORTED'],
  ];
  for (const [text, code] of cases) t.throws(() => one(text), { code }, text);
  const twice = () => parseAllWanted(['name=x,size=1', 'name=y,size=1', 'name=x,size=2,lifetime=session']);
  t.throws(twice, { code: 'INVALID_ARGUMENT', reason: /the name x occurs twice/ });
});
