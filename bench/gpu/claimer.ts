/**
 * Claims many memories and passes their fds: claimer.js RUNTIME_DIR PREFIX COUNT SOCKET.
 *
 * Prints the milliseconds from connect() until the process behind SOCKET has answered that all are mapped.
 */
import { connect } from '@vkmemd/client';
import { connectSeqpacket } from '@vkmemd/proto';
import { AT_ONCE } from './many.js';

/** Fds in a message, which the receiver expects at most. */
const FDS = 4;

const [runtimeDir = '', prefix = '', count = '0', socket = ''] = process.argv.slice(2);
const begun = performance.now();
const mapped = new Promise<void>((resolve, reject) => {
  const handlers = { message: () => resolve(), close: () => reject(new Error('the receiver ended')) };
  const passed = connectSeqpacket(socket, handlers, { maxFds: FDS });
  void claimAll(passed).catch(reject);
});

async function claimAll(passed: ReturnType<typeof connectSeqpacket>): Promise<void> {
  const client = await connect({ runtimeDir, clientName: 'bench:gpu' });
  const kinds = ['OPAQUE_FD'] as const;
  const names = Array.from({ length: Number(count) }, (_, index) => ({ name: `${prefix}${index}`, kinds }));
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const claimed = await client.claimMany(names.slice(at, at + AT_ONCE));
    const memories = claimed.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    });
    for (let from = 0; from < memories.length; from += FDS) {
      const some = memories.slice(from, from + FDS);
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt(some[0]?.size ?? 0));
      passed.send(
        bytes,
        some.map((memory) => memory.fd('OPAQUE_FD')),
      );
    }
  }
}

await mapped;
process.stdout.write(`${performance.now() - begun}\n`, () => process.exit(0));
