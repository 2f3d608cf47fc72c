/**
 * The codec of the link: calls and answers, of which there is one of each for every gRPC call, are written and
 * read field by field; all other messages by the codec of the contract, which takes several times as long.
 *
 * The field numbers are those of proto/vkmem/internal/front.proto; a test compares both codecs.
 */
import { type Decoded, type Draft, decode, encode } from '@vkmemd/proto';
import protobuf from 'protobufjs/light.js';

const { Reader, Writer } = protobuf;
type ProtobufReader = InstanceType<typeof Reader>;

/** A message of the link. */
export type LinkMessage = 'ToFront' | 'ToCore';

const VARINT = 0;
const BYTES = 2;
const tag = (field: number, type: number): number => (field << 3) | type;
const ID = tag(1, VARINT);
const CALL = tag(10, BYTES);
const ANSWER = tag(11, BYTES);

/** Encodes one message. */
export function encodeLink<N extends LinkMessage>(name: N, message: Draft<N>): Uint8Array {
  const { id, call, answer } = message as Draft<'ToCore'> & Draft<'ToFront'>;
  if (name === 'ToCore' && call) return withId(id, CALL, (writer) => writeCall(writer, call));
  if (name === 'ToFront' && answer && !answer.status) {
    return withId(id, ANSWER, (writer) => writeAnswer(writer, answer));
  }
  return encode(name, message);
}

/** Decodes one message. @throws VkmemError PROTOCOL_ERROR where the bytes are not that message. */
export function decodeLink<N extends LinkMessage>(name: N, bytes: Buffer): Decoded<N> {
  return (readQuickly(name, bytes) ?? decode(name, bytes)) as Decoded<N>;
}

function withId(
  id: bigint | number | undefined | null,
  field: number,
  write: (writer: protobuf.Writer) => void,
): Uint8Array {
  const writer = Writer.create()
    .uint32(ID)
    .uint64(Number(id ?? 0))
    .uint32(field)
    .fork();
  write(writer);
  return writer.ldelim().finish();
}

function writeAnswer(writer: protobuf.Writer, { response, last, more, begun }: Draft<'Answer'>): void {
  writer.uint32(tag(1, BYTES)).bytes((response ?? EMPTY) as Uint8Array);
  if (last) writer.uint32(tag(3, VARINT)).bool(true);
  if (more) writer.uint32(tag(4, VARINT)).bool(true);
  if (begun) writer.uint32(tag(5, VARINT)).bool(true);
}

function writeCall(writer: protobuf.Writer, call: Draft<'Call'>): void {
  writer.uint32(tag(1, VARINT)).uint64(Number(call.caller ?? 0));
  writer.uint32(tag(2, BYTES)).string(call.method ?? '');
  writer.uint32(tag(3, BYTES)).bytes((call.request ?? EMPTY) as Uint8Array);
  if (call.sessionToken) writer.uint32(tag(4, BYTES)).string(call.sessionToken);
  if (call.timeoutMs) writer.uint32(tag(5, VARINT)).uint32(call.timeoutMs);
  if (call.traceparent) writer.uint32(tag(6, BYTES)).string(call.traceparent);
  if (call.more) writer.uint32(tag(7, VARINT)).bool(true);
  if (call.protocolVersion) writer.uint32(tag(8, BYTES)).string(call.protocolVersion);
}

const EMPTY = new Uint8Array(0);

/** @returns undefined for what is not written by encodeLink() field by field, or not in its order. */
function readQuickly(name: LinkMessage, bytes: Buffer): object | undefined {
  try {
    const reader = Reader.create(bytes);
    if (reader.uint32() !== ID) return undefined;
    const id = number64(reader);
    const field = reader.uint32();
    const end = reader.uint32() + reader.pos;
    if (end !== bytes.length) return undefined;
    if (name === 'ToCore' && field === CALL) {
      const call = readCall(reader);
      return call && { id, call, body: 'call' };
    }
    if (name === 'ToFront' && field === ANSWER) {
      const answer = readAnswer(reader);
      return answer && { id, answer, body: 'answer' };
    }
  } catch {
    // The codec of the contract says what is wrong.
  }
  return undefined;
}

function readAnswer(reader: ProtobufReader): Decoded<'Answer'> | undefined {
  let response: Buffer = Buffer.alloc(0);
  let [last, more, begun] = [false, false, false];
  while (reader.pos < reader.len) {
    const field = reader.uint32();
    if (field === tag(1, BYTES)) response = reader.bytes() as Buffer;
    else if (field === tag(3, VARINT)) last = reader.bool();
    else if (field === tag(4, VARINT)) more = reader.bool();
    else if (field === tag(5, VARINT)) begun = reader.bool();
    else return undefined;
  }
  return { response, status: null, last, more, begun };
}

function readCall(reader: ProtobufReader): Decoded<'Call'> | undefined {
  const call = {
    ...{ caller: 0n, method: '', request: Buffer.alloc(0) as Buffer, sessionToken: '', timeoutMs: 0 },
    ...{ traceparent: '', more: false, protocolVersion: '' },
  };
  while (reader.pos < reader.len) {
    const field = reader.uint32();
    if (field === tag(1, VARINT)) call.caller = number64(reader);
    else if (field === tag(2, BYTES)) call.method = reader.string();
    else if (field === tag(3, BYTES)) call.request = reader.bytes() as Buffer;
    else if (field === tag(4, BYTES)) call.sessionToken = reader.string();
    else if (field === tag(5, VARINT)) call.timeoutMs = reader.uint32();
    else if (field === tag(6, BYTES)) call.traceparent = reader.string();
    else if (field === tag(7, VARINT)) call.more = reader.bool();
    else if (field === tag(8, BYTES)) call.protocolVersion = reader.string();
    else return undefined;
  }
  return call;
}

function number64(reader: ProtobufReader): bigint {
  const value = reader.uint64() as unknown as { readonly low: number; readonly high: number } | number;
  if (typeof value === 'number') return BigInt(value);
  return (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0);
}
