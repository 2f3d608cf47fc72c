/** GetAllocation: returns one allocation that the caller may see. */
import type { Registry } from '../memory/allocation/registry.js';
import { type Handler, reply } from './handler.js';

/** @throws VkmemError NOT_FOUND, NOT_PERMITTED. */
export function getAllocation({ registry }: { readonly registry: Registry }): Handler<'GetAllocation'> {
  return ({ identity }, request) =>
    reply({ allocation: registry.find(request.allocation, identity, 'see').describe() });
}
