/**
 * A worker that `vkmemctl exec` runs (see run): counts how often it ran, in memory that outlives it. It needs
 * no path and no name of a socket: connect() takes up the session that the process inherited.
 */
import { connect } from '@vkmemd/client';

const client = await connect({ clientName: 'inherit example' });
try {
  // Label -> id of what --allocate made.
  const memory = await client.claim({ id: client.inherited.get('inherit-example') });
  const counter = new Uint32Array(memory.map().buffer);
  counter[0] += 1;
  console.log(`run ${counter[0]}, in session ${client.session.id}`);
} finally {
  await client.close();
}
