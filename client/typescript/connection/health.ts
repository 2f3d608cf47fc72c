/**
 * grpc.health.v1.Health/Check, as far as a client needs it: the name of a service, and whether that serves.
 * Its two messages have one field each, which are written and read here: no schema of another project is
 * shipped for them.
 */
import type { MethodDefinition } from '@grpc/grpc-js';

/** How a method is called. */
export type MethodShape<Q, A> = Pick<
  MethodDefinition<Q, A>,
  'path' | 'requestSerialize' | 'responseDeserialize'
>;

/** Field 1 with a length: HealthCheckRequest.service. */
const SERVICE = 0x0a;
/** Field 1 as a number: HealthCheckResponse.status; and of those the one that serves. */
const STATUS = 0x08;
const SERVING = 1;
/** A length that one byte says. */
const MAX_NAME_BYTES = 127;

/** Asks by the name of the service. */
export const HEALTH_CHECK: MethodShape<string, boolean> = {
  path: '/grpc.health.v1.Health/Check',
  requestSerialize: (service) => {
    const name = Buffer.from(service);
    if (name.length > MAX_NAME_BYTES) throw new RangeError(`${service} is no service's name`);
    return Buffer.concat([Buffer.from([SERVICE, name.length]), name]);
  },
  responseDeserialize: (bytes) => bytes[0] === STATUS && bytes[1] === SERVING,
};
