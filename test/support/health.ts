/** The standard gRPC services, called as a generic gRPC tool does: grpc.health.v1 and reflection. */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Client, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { service as healthService } from 'grpc-health-check';

const reflectionFolder = join(
  dirname(createRequire(import.meta.url).resolve('@grpc/reflection')),
  '../proto',
);

export class HealthClient {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** The serving status of a service; '' means the whole server. */
  status(service: string): Promise<string> {
    const check = healthService.Check;
    if (!check) throw new Error('the health service has no Check');
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        check.path,
        check.requestSerialize,
        check.responseDeserialize,
        { service },
        (error, answer) => (error ? reject(error) : resolve(String((answer as { status: unknown }).status))),
      );
    });
  }

  /** The names of the services that reflection lists, without the standard ones, sorted. */
  reflectedServices(): Promise<string[]> {
    const definitions = loadSync('grpc/reflection/v1/reflection.proto', { includeDirs: [reflectionFolder] });
    const service = definitions['grpc.reflection.v1.ServerReflection'] as ServiceDefinition;
    const info = service.ServerReflectionInfo;
    if (!info) throw new Error('the reflection service has no ServerReflectionInfo');
    return new Promise((resolve, reject) => {
      const stream = this.#client.makeBidiStreamRequest(
        info.path,
        info.requestSerialize,
        info.responseDeserialize,
      );
      stream.once('error', reject);
      stream.once('data', (answer: { listServicesResponse: { service: { name: string }[] } }) => {
        const names = answer.listServicesResponse.service.map(({ name }) => name);
        stream.end();
        resolve(names.filter((name) => name.startsWith('vkmem.')).sort());
      });
      stream.write({ listServices: '*' });
    });
  }
}
