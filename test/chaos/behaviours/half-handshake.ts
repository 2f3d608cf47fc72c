/**
 * Connections that never become a session: they send nothing, or a wrong first message, and stay for a while
 * or until they are disconnected.
 */
import { type Draft, PROTOCOL_VERSION } from '@vkmemd/proto';
import type { Behaviour } from '../behaviour.js';
import { rest } from '../rest.js';

/** The messages sent, one after the other, without reading an answer. */
const WORDS: Readonly<Record<string, readonly Draft<'ClientMessage'>[]>> = {
  nothing: [],
  'another version': [{ hello: { protocolVersion: 2 } }],
  'no version': [{ hello: {} }],
  'hello twice': [
    { hello: { protocolVersion: PROTOCOL_VERSION } },
    { hello: { protocolVersion: PROTOCOL_VERSION } },
  ],
  'a request first': [{ claim: { allocation: { name: 'frames' }, kinds: ['KIND_MAPPABLE'] } }],
  'resume with no session': [{ hello: { protocolVersion: PROTOCOL_VERSION, resume: true } }],
  'no body': [{}],
  'sequence 0': [{ sequence: 0n, hello: { protocolVersion: PROTOCOL_VERSION } }],
  'a decreasing sequence': [
    { sequence: 9n, hello: { protocolVersion: PROTOCOL_VERSION } },
    { sequence: 8n, claim: { allocation: { name: 'frames' }, kinds: ['KIND_MAPPABLE'] } },
  ],
  'a name of 200 bytes': [{ hello: { protocolVersion: PROTOCOL_VERSION, clientName: 'n'.repeat(200) } }],
};

export const halfHandshake: Behaviour<{ words: string; connections: number; keepMs: number }> = {
  name: 'half-handshake',
  weight: 4,
  plan: (random) => ({
    words: random.pick(Object.keys(WORDS)),
    connections: random.pick([1, 1, 4, 16]),
    // Hello is waited for no longer than 5 s.
    keepMs: random.pick([0, 10, 200, 6000]),
  }),
  async perform(stage, { words, connections, keepMs }) {
    for (let i = 0; i < connections; i += 1) {
      const wire = stage.connect();
      for (const message of WORDS[words] ?? []) wire.send(message);
      if (keepMs > 0) stage.leave(wire, keepMs);
    }
    await rest(Math.min(keepMs, 200));
    return words;
  },
};
