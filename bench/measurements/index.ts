/** What measures the keys that are not of the starts. */
import { measureBytes } from './bytes.js';
import { measureCrowd } from './crowd.js';
import { measureIdle } from './idle.js';
import { measureLedger } from './ledger.js';
import type { MeasuredSource, Measurement } from './measurement.js';
import { measureNeighbour } from './neighbour.js';
import { measureResident } from './resident.js';
import { measureSessions } from './sessions.js';

export const MEASUREMENTS: Readonly<Record<MeasuredSource, Measurement>> = {
  bytes: measureBytes,
  sessions: measureSessions,
  ledger: measureLedger,
  neighbour: measureNeighbour,
  crowd: measureCrowd,
  idle: measureIdle,
  resident: measureResident,
};
