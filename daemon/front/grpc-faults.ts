/**
 * Faults as gRPC carries them: every error answer has a code of the catalogue. Those of the core have one;
 * an error that gRPC itself produces is given one when it is sent.
 */
import {
  Metadata,
  type Server,
  type ServerDuplexStream,
  type ServerInterceptingCall,
  type ServerInterceptor,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { type Draft, encode, STATUS_METADATA, statusOf, VkmemError } from '@vkmemd/proto';

/** A google.rpc.Status as gRPC carries it. */
export function grpcFault(fault: Draft<'Status'>): { code: number; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set(STATUS_METADATA, encode('Status', fault));
  return { code: fault.code ?? status.INTERNAL, details: fault.message ?? '', metadata };
}

/** Matches the texts of what gRPC itself refuses in a call, below all interceptors. */
const REFUSED = /^(Received |Invalid grpc-timeout|Failed to decompress|Error deserializing request)/;

/** The error of a status that has no code of the catalogue; undefined where the status says all. */
function codeless({ code, details }: Pick<StatusObject, 'code' | 'details'>): VkmemError | undefined {
  switch (code) {
    case status.OK:
    case status.CANCELLED:
    case status.DEADLINE_EXCEEDED:
      return undefined;
    case status.NOT_FOUND: // of the health service
      return new VkmemError('NOT_FOUND', `${details}.`, {}, undefined, SERVICES);
    case status.UNAVAILABLE:
      return new VkmemError('UNAVAILABLE', `${details}.`);
    default:
      return new VkmemError(REFUSED.test(details) ? 'PROTOCOL_ERROR' : 'INTERNAL', `${details}.`);
  }
}

const SERVICES = 'Ask for a service that the reflection service lists, or for the name "device".';

/** Gives a code of the catalogue to the statuses that gRPC itself and its own services make. */
export const codedRefusals: ServerInterceptor = (_method, call) => {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (answer) => {
    const ours = (answer.metadata?.get(STATUS_METADATA).length ?? 0) > 0;
    const error = ours ? undefined : codeless({ code: answer.code ?? 0, details: answer.details ?? '' });
    send(error ? grpcFault(statusOf(error)) : answer);
  };
  return call as ServerInterceptingCall;
};

/**
 * Answers a method that the server does not have, at once. Without it gRPC answers below all interceptors, with a
 * status without a code.
 */
export function codeUnknownMethods(server: Server): void {
  const methods = server as unknown as { _retrieveHandler(path: string): object | null };
  const found = methods._retrieveHandler.bind(server);
  const same = (bytes: Buffer): Buffer => bytes;
  methods._retrieveHandler = (path) =>
    found(path) ?? {
      ...{ type: 'bidi', path, serialize: same, deserialize: same },
      func: (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.emit('error', grpcFault(statusOf(new VkmemError('METHOD_UNKNOWN', `${path} is not known.`))));
      },
    };
}
