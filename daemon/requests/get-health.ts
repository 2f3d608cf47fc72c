/** GetHealth: an answer shows that the event loop runs. Nothing else is checked. */
import { type OpenHandler, reply } from './handler.js';

export function getHealth(): OpenHandler<'GetHealth'> {
  return () => reply({});
}
