/**
 * grpc.health.v1.Health/Check, reduced to what a client needs: the name of a service, and whether it serves.
 * Each of its two messages has one field, which is encoded and decoded here, so that no schema of another
 * project has to be shipped.
 */
import type { MethodDefinition } from '@grpc/grpc-js';

/** The part of a method's definition that a call needs. */
export type MethodShape<Q, A> = Pick<
  MethodDefinition<Q, A>,
  'path' | 'requestSerialize' | 'responseDeserialize'
>;

/** The tag of field 1, length-delimited: HealthCheckRequest.service. */
const SERVICE = 0x0a;
/** The tag of field 1, a varint: HealthCheckResponse.status; and its value SERVING. */
const STATUS = 0x08;
const SERVING = 1;
/** The largest length that is encoded in one byte. */
const MAX_NAME_BYTES = 127;

/** The method: its request is the name of a service, its answer whether that serves. */
export const HEALTH_CHECK: MethodShape<string, boolean> = {
  path: '/grpc.health.v1.Health/Check',
  requestSerialize: (service) => {
    const name = Buffer.from(service);
    if (name.length > MAX_NAME_BYTES)
      throw new RangeError(`service: ${name.length} bytes; a name has at most ${MAX_NAME_BYTES}.`);
    return Buffer.concat([Buffer.from([SERVICE, name.length]), name]);
  },
  responseDeserialize: (bytes) => bytes[0] === STATUS && bytes[1] === SERVING,
};
