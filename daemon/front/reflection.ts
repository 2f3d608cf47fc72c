/**
 * gRPC's reflection services. What they answer is made at the first call: to index the whole contract takes longer than all
 * else that gRPC needs at a start, and few callers ask.
 */
import type { handleBidiStreamingCall, Server, ServiceDefinition } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];
type Handler = handleBidiStreamingCall<unknown, unknown>;
type Handlers = Record<string, Handler>;

/** The services of a reflection service, and their handlers, as it would have added them to a server. */
function servicesOf(files: readonly Buffer[]): [ServiceDefinition, Handlers][] {
  // The library takes the files of all definitions together, and nothing else.
  const definition = { files: { fileDescriptorProtos: files } } as unknown as PackageDefinition;
  const added: [ServiceDefinition, Handlers][] = [];
  const addService = (service: ServiceDefinition, handlers: Handlers) => added.push([service, handlers]);
  new ReflectionService(definition).addToServer({ addService } as unknown as Server);
  return added;
}

/**
 * Adds them to the server.
 * @param filesOf Returns each schema as an encoded google.protobuf.FileDescriptorProto, with its dependencies.
 */
export function addReflection(server: Server, filesOf: () => readonly Buffer[]): void {
  let all: [ServiceDefinition, Handlers][] | undefined;
  for (const [index, [service, handlers]] of servicesOf([]).entries()) {
    const lazy = Object.keys(handlers).map((name): [string, Handler] => [
      name,
      (call) => {
        all ??= servicesOf(filesOf());
        all[index]?.[1][name]?.(call);
      },
    ]);
    server.addService(service, Object.fromEntries(lazy));
  }
}
