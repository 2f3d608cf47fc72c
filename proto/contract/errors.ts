/**
 * VkmemError: an expected failure, with a code of the error catalogue.
 */
import { CATALOGUE, type ErrorCode } from './catalogue.js';

export * from './catalogue.js';

/** Codes that were removed from CATALOGUE. None may be used again. */
export const RETIRED_CODES: readonly string[] = [];

/** `google.rpc.ErrorInfo.domain` of every error that vkmemd reports. */
export const ERROR_DOMAIN = 'vkmemd';

/** Whether this build's catalogue has the code. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(CATALOGUE, code);
}

/**
 * Maximum characters of a reason and of one metadata value: an answer must fit a datagram, and a gRPC
 * trailer.
 */
const MAX_REASON = 1000;
const MAX_METADATA = 200;
/** Maximum characters of the next step. */
const MAX_NEXT = 400;

/** Lone surrogates, which clipping may produce and a peer may send. gRPC throws when it encodes one. */
const LONE_SURROGATES = /\p{Surrogate}/gu;

const clip = (text: string, max: number): string => {
  const clipped = text.length <= max ? text : `${text.slice(0, max)}\u2026 (${text.length} characters)`;
  return clipped.replace(LONE_SURROGATES, '\ufffd');
};

/**
 * An expected failure. `message` consists of the catalogue's sentence, the reason if there is one, and what
 * the caller can do next.
 */
export class VkmemError extends Error {
  /** The code, which programs branch on. */
  readonly code: ErrorCode;
  /** Details of this failure for people, or ''. Clipped to 1000 characters. */
  readonly reason: string;
  /** Machine-readable details, as in google.rpc.ErrorInfo. Each value is clipped to 200 characters. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What the caller can do: the catalogue's text for the code, or one for this failure. */
  readonly next: string;

  /**
   * @param cause The failure that led to this one, for `Error.cause`.
   * @param next What the caller can do, where the catalogue's text does not fit. Clipped to 400 characters.
   */
  constructor(
    code: ErrorCode,
    reason = '',
    metadata: Record<string, string> = {},
    cause?: unknown,
    next: string = CATALOGUE[code].next,
  ) {
    const { sentence } = CATALOGUE[code];
    const clipped = clip(reason, MAX_REASON);
    const step = clip(next, MAX_NEXT);
    super([sentence, clipped, step].filter(Boolean).join(' '), cause === undefined ? {} : { cause });
    this.name = 'VkmemError';
    this.code = code;
    this.reason = clipped;
    this.next = step;
    const clippedMetadata = Object.entries(metadata).map(([key, value]) => [key, clip(value, MAX_METADATA)]);
    this.metadata = Object.fromEntries(clippedMetadata);
  }

  /** The google.rpc.Code that gRPC reports. */
  get grpc(): number {
    return CATALOGUE[this.code].grpc;
  }
}
