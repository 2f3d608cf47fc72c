/** A measurement that is made once, apart from the starts. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { BenchDaemon } from '../daemon.js';
import type { KeyName, Source } from '../keys.js';

export interface Conditions {
  /** For runtime folders and programs; the caller removes it. */
  readonly folder: string;
  readonly floorProgram: string;
  /** Of the memory that is handed out, where the key does not say otherwise. */
  readonly bytes: number;
  /** Measures little, to see that everything works. */
  readonly quick: boolean;
  /** The processor of daemon and client, to which this process is pinned. */
  readonly own: number;
  /** A processor of what is not measured itself: another one where there is one. */
  readonly other: number;
  readonly say: (text: string) => void;
}

export interface Outcome {
  readonly values: { readonly [key in KeyName]?: number };
  /** Why a key could not be measured, or was measured with less than its goal is set for: then it is not met. */
  readonly reasons?: { readonly [key in KeyName]?: string };
  /** What the values were made of. */
  readonly details: Readonly<Record<string, unknown>>;
}

export type Measurement = (conditions: Conditions, keys: readonly KeyName[]) => Promise<Outcome>;
export type MeasuredSource = Exclude<Source, 'starts'>;

/** A daemon in a folder of its own, on this process's processors. @param limits As for BenchDaemon.start(). */
export const startDaemon = ({ folder }: Pick<Conditions, 'folder'>, limits?: string): Promise<BenchDaemon> =>
  BenchDaemon.start(mkdtempSync(join(folder, 'run-')), limits);

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
