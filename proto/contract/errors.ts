/**
 * The one class of every expected failure, whose codes are those of the catalogue.
 */
import { CATALOGUE, type ErrorCode } from './catalogue.js';

export type { CatalogueEntry } from '../catalogue-entry.js';
export * from './catalogue.js';

/** Codes that once existed. None may appear in CATALOGUE again. */
export const RETIRED_CODES: readonly string[] = [];

/** `google.rpc.ErrorInfo.domain` of every fault of ours. */
export const ERROR_DOMAIN = 'vkmemd';

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(CATALOGUE, code);
}
export * from '../grpc-code.js';

/** What a fault quotes of a message may be long; an answer must fit a datagram, and a trailer. In characters. */
const MAX_REASON = 1000;
const MAX_PARTICULAR = 200;

/** Half a character, such as a cut leaves or a peer may send: gRPC throws where it is to carry one. */
const HALVES = /\p{Surrogate}/gu;

const clip = (text: string, max: number): string => {
  const clipped = text.length <= max ? text : `${text.slice(0, max)}\u2026 (${text.length} characters)`;
  return clipped.replace(HALVES, '\ufffd');
};

/**
 * The one class for every expected failure. `message` is the catalogue's sentence, the reason where there is
 * one, and what to do next; `metadata` carries machine-readable particulars (all strings, as in ErrorInfo).
 */
export class VkmemError extends Error {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, reason = '', metadata: Record<string, string> = {}, cause?: unknown) {
    const { sentence, next } = CATALOGUE[code];
    const clipped = clip(reason, MAX_REASON);
    super([sentence, clipped, next].filter(Boolean).join(' '), cause === undefined ? {} : { cause });
    this.name = 'VkmemError';
    this.code = code;
    this.reason = clipped;
    const particulars = Object.entries(metadata).map(([key, value]) => [key, clip(value, MAX_PARTICULAR)]);
    this.metadata = Object.fromEntries(particulars);
  }

  get grpc(): number {
    return CATALOGUE[this.code].grpc;
  }

  get next(): string {
    return CATALOGUE[this.code].next;
  }
}
