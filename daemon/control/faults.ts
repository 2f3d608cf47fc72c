/**
 * Faults as gRPC carries them: every error answer has a code of the catalogue, wherever the error is
 * detected.
 *
 * A request that cannot be decoded, or is too large, is passed to its handler as a fault, so that its answer
 * is made as any other. An error that gRPC itself produces is given a code when it is sent.
 */
import { Metadata, ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { MAX_MESSAGE_BYTES, packStatus, STATUS_METADATA, VkmemError } from '@vkmemd/proto';

/** Larger messages are not received completely. Messages above MAX_MESSAGE_BYTES are refused in any case. */
export const MAX_RECEIVED_BYTES = 4 * MAX_MESSAGE_BYTES;

/** The fault as gRPC carries it. */
export function grpcFault(error: VkmemError): { code: number; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set(STATUS_METADATA, packStatus(error));
  return { code: error.grpc, details: error.message, metadata };
}

/**
 * gRPC itself refuses a message above MAX_RECEIVED_BYTES, below all interceptors. Its status is given a code
 * here.
 */
export const codedRefusals: ServerInterceptor = (_method, call) => {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (answer) => {
    const ours = (answer.metadata?.get(STATUS_METADATA).length ?? 0) > 0;
    if (ours || answer.code !== status.RESOURCE_EXHAUSTED) send(answer);
    else send(grpcFault(new VkmemError('PROTOCOL_ERROR', `${answer.details}.`)));
  };
  return new ServerInterceptingCall(call);
};

/** A deserializer that returns the fault of an invalid message instead of throwing. */
export function orFault(deserialize: (bytes: Buffer) => object): (bytes: Buffer) => object {
  return (bytes) => {
    if (bytes.length > MAX_MESSAGE_BYTES) {
      return new VkmemError(
        'PROTOCOL_ERROR',
        `The message has ${bytes.length} bytes; the maximum is ${MAX_MESSAGE_BYTES}.`,
      );
    }
    try {
      return deserialize(bytes);
    } catch (cause) {
      return new VkmemError('PROTOCOL_ERROR', `The message cannot be decoded: ${String(cause)}.`, {}, cause);
    }
  };
}
