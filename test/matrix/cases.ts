/**
 * A case: something that a client asks of a daemon, which is granted and then used, or refused with a code.
 *
 * `ask` is the request; a VkmemError of it is an outcome. What is granted is then used, and nothing of that
 * may fail. Everything that a case makes ends with it. The cases are the same for every driver, but for those
 * that go through what the device lists (its memory types, its sizes).
 */
import type { AllocateOptions, Memory } from '@vkmemd/client';
import type { ErrorCode, KindName, OwnedFd } from '@vkmemd/proto';
import { importCases } from './import-cases.js';
import { kindCases, sizeCases } from './kind-cases.js';
import { resourceCases } from './resource-cases.js';
import type { Seat } from './seat.js';
import { typeCases } from './type-cases.js';
import { useAll } from './use.js';

export type Answer = 'pass' | ErrorCode;

/** A refusal that follows from what ListDevices says. */
export interface Refusal {
  readonly code: ErrorCode;
  /** Undefined: any. */
  readonly reason?: string;
  readonly missing?: string;
}

/** What a case made, and has to release. */
export type Made = Memory | OwnedFd;

export interface Case {
  readonly name: string;
  /** The kinds that it cannot do without. */
  readonly kinds: readonly KindName[];
  /** What it may end as where the device offers each of them. */
  readonly may: readonly Answer[];
  /** What it is refused with in place of what follows from the kinds; undefined where it is not. */
  readonly refused?: (seat: Seat) => Refusal | undefined;
  /**
   * The request. @returns what is then done with what was granted.
   * @param keep what is made on the way: released when the case has ended, the last first.
   */
  ask(seat: Seat, keep: <T extends Made>(made: T) => T): Promise<() => Promise<void>>;
}

/** Bytes of what is asked for where the size does not matter. */
export const SIZE = 65_536;

/** One allocation, granted as all of its kinds and used as all of them. */
export function allocation(
  name: string,
  options: AllocateOptions & { readonly kinds: readonly KindName[] },
  more: Partial<Pick<Case, 'may' | 'refused'>> & { readonly use?: typeof useAll } = {},
): Case {
  const { use = useAll, ...rest } = more;
  return {
    name,
    kinds: options.kinds,
    may: ['pass'],
    ask: async (seat, keep) => {
      const memory = keep(await seat.client.allocate(options));
      return () => use(seat, memory);
    },
    ...rest,
  };
}

export function casesFor(seat: Seat): Case[] {
  return [...kindCases(), ...sizeCases(seat), ...typeCases(seat), ...resourceCases(), ...importCases(seat)];
}
