/**
 * The messages between the harness and its programs: JSON, one line each, on the programs' standard input and
 * output.
 */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Action } from './behaviour.js';
import type { Prey, Scene } from './stage.js';

/** To an attacker. */
export type ToAttacker = { readonly scene: Scene; readonly seed: string } | { readonly action: Action };

/** From an attacker. */
export type FromAttacker =
  | { readonly ready: true }
  | { readonly begun: number }
  | { readonly done: number; readonly outcome: string }
  | { readonly breach: string; readonly done: number }
  /** An error of the harness itself. */
  | { readonly failed: string };

/** To a victim: 'end' releases everything. */
export type ToVictim = { readonly do: 'work' | 'pause' | 'end' };

/** The requests of a victim; a ping is sent to an idle process of its own, and not to the daemon. */
export const REQUESTS = ['allocate', 'claim', 'release', 'free', 'get', 'ticket', 'redeem', 'ping'] as const;
export type Request = (typeof REQUESTS)[number];

/** One request: its type, its start (CLOCK_MONOTONIC, ms), and its duration (us). */
export type Sample = readonly [request: Request, beganMs: number, us: number];

export type FromVictim =
  | { readonly ready: Prey }
  | { readonly samples: readonly Sample[] }
  | { readonly paused: true }
  /** gRPC could not be reached, at that time of now(). */
  | { readonly unavailable: number; readonly why: string }
  | { readonly ended: true; readonly verified: number; readonly refused: Readonly<Record<string, number>> }
  | { readonly breach: string }
  | { readonly failed: string };

/** From the service manager: the number of fds that it stores. */
export type FromManager = { readonly stored: number };

/** The current time on the clock that all processes share (CLOCK_MONOTONIC), in milliseconds. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

export function send<M>(stream: Writable, message: M): void {
  stream.write(`${JSON.stringify(message)}\n`);
}

/**
 * Ends a program when its output is closed, because its harness has ended. As an uncaught exception, which
 * the programs report, it would be reported forever.
 */
export function endUnheard(): void {
  process.stdout.on('error', () => process.exit(1));
}

/** Calls `heard` for each message, and resolves after the last one. */
export async function listen<M>(stream: Readable, heard: (message: M) => void): Promise<void> {
  const lines = createInterface({ input: stream });
  for await (const line of lines) heard(JSON.parse(line) as M);
}
