/**
 * Faults as gRPC carries them: the catalogue's code in every answer, wherever the fault is found.
 *
 * A request that is no valid message, or too large, reaches its handler as the fault it is, so that its
 * answer is made as any other. What gRPC refuses by itself is given a code on its way out.
 */
import { Metadata, ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { MAX_MESSAGE_BYTES, packStatus, STATUS_METADATA, VkmemError } from '@vkmemd/proto';

/**
 * What is larger is not even held until its end; what is larger than MAX_MESSAGE_BYTES is refused all the
 * same.
 */
export const MAX_RECEIVED_BYTES = 4 * MAX_MESSAGE_BYTES;

/** The fault as gRPC carries it. */
export function grpcFault(error: VkmemError): { code: number; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set(STATUS_METADATA, packStatus(error));
  return { code: error.grpc, details: error.message, metadata };
}

/**
 * gRPC itself refuses a message above MAX_RECEIVED_BYTES, below all interceptors: its word is given a code
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

/** A deserializer that returns what is wrong with a message instead of throwing it away. */
export function orFault(deserialize: (bytes: Buffer) => object): (bytes: Buffer) => object {
  return (bytes) => {
    if (bytes.length > MAX_MESSAGE_BYTES) {
      return new VkmemError(
        'PROTOCOL_ERROR',
        `The message has ${bytes.length} bytes, at most ${MAX_MESSAGE_BYTES} fit.`,
      );
    }
    try {
      return deserialize(bytes);
    } catch (cause) {
      return new VkmemError('PROTOCOL_ERROR', `The bytes are not the message: ${String(cause)}.`, {}, cause);
    }
  };
}
