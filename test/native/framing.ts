/**
 * Shared by the properties of the framing: random messages with their files, and an end of a connection that
 * compares everything it receives with what was sent.
 */
import { deepStrictEqual, equal, ok } from 'node:assert/strict';
import { fstatSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import {
  type CloseReason,
  Connection,
  type ConnectionLimits,
  createMemfd,
  EventFd,
  OwnedFd,
} from '@vkmemd/proto';
import type fastCheck from 'fast-check';
import { root } from '../support/daemon.js';
import { fc } from '../support/properties.js';

export const MAX_BYTES = 65_536;
export const MAX_FDS = 253;
/** More bytes than any message here has. */
const NOISE_BYTES = 80_000;
const DISTINCT = 997;

/**
 * A message: its bytes depend on its position in the conversation; `fds` are indexes into the list of files.
 */
export interface Message {
  readonly size: number;
  readonly fds: readonly number[];
}

const memfds = await Promise.all(
  [1, 2, 3, 4, 5, 6].map((size) => createMemfd('framing', BigInt(4096 * size))),
);
const files = [...memfds, EventFd.create().fd, new OwnedFd(openSync('/dev/null', 'r'), 'null')];
const identity = ({ fd }: OwnedFd): string => {
  const { dev, ino } = fstatSync(fd);
  return `${dev}:${ino}`;
};
const identities = files.map(identity);
const noise = Buffer.from(Array.from({ length: NOISE_BYTES + DISTINCT }, (_, i) => (i * i) >> 7));

/** The bytes of the n-th message. */
export const content = (n: number, size: number): Buffer =>
  noise.subarray((n * 31) % DISTINCT, ((n * 31) % DISTINCT) + size);

/** Duplicates of a message's fds, for the receiver to own. */
export const copies = ({ fds }: Message): OwnedFd[] =>
  fds.map((which) => (files[which] as OwnedFd).dup('sent'));

/** Closes the files; nothing can be sent afterwards. */
export function closeFiles(): void {
  for (const file of files) file.close();
}

/** Sizes up to `max`, and a few beyond; the edges and small ones occur more often. */
export const sizes = (least: number, max: number, beyond = 0): fastCheck.Arbitrary<number> =>
  fc
    .oneof(
      fc.constantFrom(least, least + 1, max - 1, max, max + beyond),
      fc.integer({ min: least, max: max + beyond }),
      fc.integer({ min: least, max: 300 }),
    )
    .map((size) => Math.max(least, size));

const file = fc.nat(files.length - 1);

/** The fds of a message: usually few. */
export const fdsUpTo = (max: number): fastCheck.Arbitrary<number[]> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.array(file, { maxLength: Math.min(3, max) }) },
    { weight: 1, arbitrary: fc.array(file, { maxLength: max, size: 'max' }) },
    { weight: 1, arbitrary: fc.array(file, { minLength: max, maxLength: max, size: 'max' }) },
  );

/** One end. It throws the errors that it found at the next call. */
export class End {
  received = 0;
  readonly closes: CloseReason[] = [];
  readonly faults: string[] = [];
  readonly connection: Connection;
  readonly #expected: readonly Message[];
  readonly #held: OwnedFd[] = [];
  #failure: unknown;

  /** @param keep whether fds stay open until release(). */
  constructor(fd: OwnedFd, expected: readonly Message[], limits: ConnectionLimits, keep = false) {
    this.#expected = expected;
    const message = (data: Buffer, fds: OwnedFd[]) => {
      this.#held.push(...fds);
      try {
        this.#check(data, fds);
      } catch (failure) {
        this.#failure ??= failure;
      }
      if (!keep) this.release();
    };
    const fault = ({ kind }: { kind: string }) => {
      this.faults.push(kind);
      return Buffer.from('goodbye');
    };
    this.connection = new Connection(
      fd,
      { message, fault, close: (reason) => this.closes.push(reason) },
      limits,
    );
  }

  #check(data: Buffer, fds: readonly OwnedFd[]): void {
    const message = this.#expected[this.received];
    ok(message, `message ${this.received} was not sent, or must not arrive`);
    equal(data.length, message.size, `the size of message ${this.received}`);
    ok(data.equals(content(this.received, message.size)), `the bytes of message ${this.received}`);
    deepStrictEqual(
      fds.map(identity),
      message.fds.map((which) => identities[which]),
    );
    this.received += 1;
  }

  /** @throws the error that was found. */
  get complete(): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    return this.received === this.#expected.length;
  }

  get closed(): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    return this.closes.length > 0;
  }

  release(): void {
    for (const fd of this.#held.splice(0)) fd.close();
  }
}

/** The addon's own connection: it sends messages that a Connection refuses to send. */
export interface RawConnection {
  open(...values: readonly unknown[]): void;
  /** 1: sent or queued. */
  send(data: Uint8Array, taken: readonly number[]): 0 | 1 | 2;
  close(): void;
}

const addon = createRequire(import.meta.url)(join(root, 'proto/native/build/Release/vkmem_proto.node')) as {
  readonly Connection: new () => RawConnection;
};

/**
 * A peer that sends anything. `heard` is called with each message received, and with undefined at the end.
 */
export function rawPeer(fd: OwnedFd, heard: (text: string | undefined) => void): RawConnection {
  const raw = new addon.Connection();
  const nothing = () => {};
  const max = 1 << 28;
  raw.open(
    fd.take(),
    MAX_BYTES,
    0,
    max,
    max,
    max,
    false,
    false,
    false,
    (data: Buffer) => heard(data.toString()),
    nothing,
    () => heard(undefined),
  );
  return raw;
}
