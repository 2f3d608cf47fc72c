/**
 * Any text in an error message: surrogate pairs that truncation splits, lone surrogates, control characters.
 * gRPC carries the error message in a trailer, and throws if the text is not valid there.
 */
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const kinds = ['KIND_MAPPABLE'] as const;
const LONG = ['x', '\u0000', '\u0001', '"', '%', '\u{1f600}', '\u20ac', '\ud83d', '\ude00'].flatMap((text) =>
  // Three offsets, so that truncation at any length splits a character.
  ['', 'x', 'xx'].map((before) => before + text.repeat(10_000)),
);
/**
 * Field 1, an AllocationRef, with field 2, its name: the bytes of a lone surrogate, which no encoder writes.
 */
const HALF = Buffer.from([0x0a, 0x05, 0x12, 0x03, 0xed, 0xa0, 0xbd]);

t.test('an error that quotes any text is answered on both sockets', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const control = new ControlWire(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  const answers = new Set<string>();
  const reported = async (work: Promise<unknown>) => {
    const code = await work.then(
      () => 'served',
      (failure) => String(failure.code),
    );
    answers.add(code);
  };
  for (const text of [...LONG, '\ud83d', '\ude00\ud83d']) {
    await reported(control.call('GetAllocation', { allocation: { name: text } }));
    await reported(control.call('GetAllocation', { allocation: { id: text } }));
    await reported(control.call('RevokeTicket', { ticketId: text }));
    await reported(control.call('Allocate', { sizeBytes: 1n, kinds, name: text }));
    await reported(wire.ask({ claim: { allocation: { name: text }, kinds } }));
    await reported(wire.ask({ allocate: { sizeBytes: 1n, kinds, name: text } }));
  }
  await reported(control.callRaw('GetAllocation', HALF));
  t.strictSame([...answers].sort(), ['INVALID_NAME', 'NOT_FOUND']);
  wire.close();
  control.close();
});
