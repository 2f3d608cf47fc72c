/** Control plane: Allocate NAMED memory, without a grant, and FreeAllocation. */
import { connectControl } from '@vkmemd/client';
import type { Operation, Place } from './operation.js';

export async function openGrpcAllocate({ runtimeDir, bytes }: Place): Promise<Operation> {
  const control = connectControl({ runtimeDir });
  let made = 0;
  return {
    async cycle() {
      made += 1;
      const { id } = await control.allocate({ size: bytes, name: `grpc-allocate-${made}` });
      const { freed } = await control.free({ id });
      if (!freed) throw new Error('freed memory is still held');
    },
    [Symbol.asyncDispose]: () => control.close(),
  };
}
