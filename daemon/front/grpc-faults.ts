/**
 * Faults as gRPC carries them: every error answer has a code of the catalogue. Those of the core have one;
 * an error that gRPC itself produces is given one when it is sent.
 */
import { Metadata, type ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { type Draft, encode, STATUS_METADATA, statusOf, VkmemError } from '@vkmemd/proto';

/** A google.rpc.Status as gRPC carries it. */
export function grpcFault(fault: Draft<'Status'>): { code: number; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set(STATUS_METADATA, encode('Status', fault));
  return { code: fault.code ?? status.INTERNAL, details: fault.message ?? '', metadata };
}

/**
 * gRPC itself refuses a message above its maximum, below all interceptors. Its status is given a code here.
 */
export const codedRefusals: ServerInterceptor = (_method, call) => {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (answer) => {
    const ours = (answer.metadata?.get(STATUS_METADATA).length ?? 0) > 0;
    if (ours || answer.code !== status.RESOURCE_EXHAUSTED) send(answer);
    else send(grpcFault(statusOf(new VkmemError('PROTOCOL_ERROR', `${answer.details}.`))));
  };
  return call as ServerInterceptingCall;
};
