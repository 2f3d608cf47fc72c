/** Frames of HTTP/2 with lengths that their types forbid, for random orders before and after GOAWAY. */

/** The preface of a client (RFC 9113, 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** @param claimed The length that the header says, in place of the payload's. */
function frame(
  type: number,
  flags: number,
  stream: number,
  payload: number[],
  claimed = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(claimed, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, Buffer.from(payload)]);
}

const bytes = (count: number): number[] => new Array<number>(count).fill(0);
const [
  DATA,
  HEADERS,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  PUSH_PROMISE,
  PING,
  GOAWAY,
  WINDOW_UPDATE,
  CONTINUATION,
] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const PADDED = 8;
/** `:method: POST` of the static table. */
const SOME_FIELD = 0x83;
const FRAMES = [
  frame(GOAWAY, 0, 0, bytes(8)),
  frame(GOAWAY, 0, 0, bytes(7)),
  frame(SETTINGS, 0, 0, bytes(5)),
  frame(SETTINGS, 1, 0, bytes(6)),
  frame(PING, 0, 0, bytes(7)),
  frame(PING, 0, 0, bytes(9)),
  frame(RST_STREAM, 0, 1, bytes(3)),
  frame(PRIORITY, 0, 1, bytes(4)),
  frame(WINDOW_UPDATE, 0, 0, bytes(3)),
  frame(WINDOW_UPDATE, 0, 1, bytes(5)),
  frame(PUSH_PROMISE, 4, 1, bytes(3)),
  frame(HEADERS, 4 | PADDED, 1, [200, SOME_FIELD]),
  frame(HEADERS, 4, 1, [SOME_FIELD]),
  frame(DATA, PADDED, 1, [200, 0]),
  frame(DATA, 1, 1, bytes(5)),
  frame(CONTINUATION, 4, 1, []),
  frame(SETTINGS, 0, 0, bytes(6), 0xff_ff_ff),
];

/** Some of the frames, in some order. @param next returns a random number below its argument. */
export function malformedOrder(next: (below: number) => number): Buffer[] {
  const rest = [...FRAMES];
  const count = 2 + next(FRAMES.length - 2);
  return Array.from({ length: count }, () => rest.splice(next(rest.length), 1)[0] ?? Buffer.of());
}
