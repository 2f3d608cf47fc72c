/** What measures the keys that are not of the starts. */
import { definitionOf, type KeyName, SOURCES } from '../keys.js';
import { reasonOf } from '../reason.js';
import type { Outcomes } from '../report.js';
import { measureBytes } from './bytes.js';
import { measureCrowd } from './crowd.js';
import { measureIdle } from './idle.js';
import { measureLedger } from './ledger.js';
import type { Conditions, MeasuredSource, Measurement } from './measurement.js';
import { measureNeighbour } from './neighbour.js';
import { measureResident } from './resident.js';
import { measureSessions } from './sessions.js';

const MEASUREMENTS: Readonly<Record<MeasuredSource, Measurement>> = {
  bytes: measureBytes,
  sessions: measureSessions,
  ledger: measureLedger,
  neighbour: measureNeighbour,
  crowd: measureCrowd,
  idle: measureIdle,
  resident: measureResident,
};

/** Measures what these keys need. A measurement that fails leaves its reason. */
export async function measureOthers(conditions: Conditions, keys: readonly KeyName[]): Promise<Outcomes> {
  const outcomes: { -readonly [source in MeasuredSource]?: Outcomes[source] } = {};
  for (const source of SOURCES) {
    const wanted = keys.filter((key) => definitionOf(key).from === source);
    if (source === 'starts' || wanted.length === 0) continue;
    conditions.say(wanted.join(', '));
    try {
      outcomes[source] = await MEASUREMENTS[source](conditions, wanted);
    } catch (failure) {
      const reason = reasonOf(failure);
      conditions.say(`${wanted.join(', ')}: ${reason}`);
      outcomes[source] = reason;
    }
  }
  return outcomes;
}
