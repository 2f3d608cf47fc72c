/**
 * A case: a request to a daemon, which is granted and then used, or refused with a code.
 *
 * `ask` sends the request; its VkmemError is an outcome. Granted memory is then used, and no part of that may
 * fail. Everything that a case creates ends with it. The cases are the same for every driver, except those
 * that iterate over what the device lists (its memory types, its sizes).
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

/** A refusal that follows from ListDevices. */
export interface Refusal {
  readonly code: ErrorCode;
  /** Undefined: any. */
  readonly reason?: string;
  readonly missing?: string;
}

/** What a case created and must release. */
export type Made = Memory | OwnedFd;

export interface Case {
  readonly name: string;
  /** The kinds that it requires. */
  readonly kinds: readonly KindName[];
  /** Its possible outcomes if the device offers each of the kinds. */
  readonly may: readonly Answer[];
  /** The refusal that replaces the one which follows from the kinds; undefined if there is none. */
  readonly refused?: (seat: Seat) => Refusal | undefined;
  /**
   * Sends the request. @returns the function that uses the granted memory.
   * @param keep registers what is created: released in reverse order when the case has ended.
   */
  ask(seat: Seat, keep: <T extends Made>(made: T) => T): Promise<() => Promise<void>>;
}

/** The size in bytes where the size does not matter. */
export const SIZE = 65_536;

/** One allocation, granted and used as each of its kinds. */
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
