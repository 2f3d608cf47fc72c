/** The name of the device that daemons open here, for a report without starts. */
import { type Conditions, startDaemon } from './measurement.js';

export async function deviceOf(conditions: Conditions): Promise<string> {
  await using daemon = await startDaemon(conditions);
  return daemon.device;
}
