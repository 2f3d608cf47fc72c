import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Any as _google_protobuf_Any, Any__Output as _google_protobuf_Any__Output } from './google/protobuf/Any.js';
import type { ErrorInfo as _google_rpc_ErrorInfo, ErrorInfo__Output as _google_rpc_ErrorInfo__Output } from './google/rpc/ErrorInfo.js';
import type { Status as _google_rpc_Status, Status__Output as _google_rpc_Status__Output } from './google/rpc/Status.js';
import type { Answer as _vkmem_internal_Answer, Answer__Output as _vkmem_internal_Answer__Output } from './vkmem/internal/Answer.js';
import type { Call as _vkmem_internal_Call, Call__Output as _vkmem_internal_Call__Output } from './vkmem/internal/Call.js';
import type { Caller as _vkmem_internal_Caller, Caller__Output as _vkmem_internal_Caller__Output } from './vkmem/internal/Caller.js';
import type { CallerGone as _vkmem_internal_CallerGone, CallerGone__Output as _vkmem_internal_CallerGone__Output } from './vkmem/internal/CallerGone.js';
import type { Cancel as _vkmem_internal_Cancel, Cancel__Output as _vkmem_internal_Cancel__Output } from './vkmem/internal/Cancel.js';
import type { Credit as _vkmem_internal_Credit, Credit__Output as _vkmem_internal_Credit__Output } from './vkmem/internal/Credit.js';
import type { Drain as _vkmem_internal_Drain, Drain__Output as _vkmem_internal_Drain__Output } from './vkmem/internal/Drain.js';
import type { Hangup as _vkmem_internal_Hangup, Hangup__Output as _vkmem_internal_Hangup__Output } from './vkmem/internal/Hangup.js';
import type { Health as _vkmem_internal_Health, Health__Output as _vkmem_internal_Health__Output } from './vkmem/internal/Health.js';
import type { Ping as _vkmem_internal_Ping, Ping__Output as _vkmem_internal_Ping__Output } from './vkmem/internal/Ping.js';
import type { Pong as _vkmem_internal_Pong, Pong__Output as _vkmem_internal_Pong__Output } from './vkmem/internal/Pong.js';
import type { ToCore as _vkmem_internal_ToCore, ToCore__Output as _vkmem_internal_ToCore__Output } from './vkmem/internal/ToCore.js';
import type { ToFront as _vkmem_internal_ToFront, ToFront__Output as _vkmem_internal_ToFront__Output } from './vkmem/internal/ToFront.js';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  google: {
    protobuf: {
      Any: MessageTypeDefinition<_google_protobuf_Any, _google_protobuf_Any__Output>
    }
    rpc: {
      ErrorInfo: MessageTypeDefinition<_google_rpc_ErrorInfo, _google_rpc_ErrorInfo__Output>
      Status: MessageTypeDefinition<_google_rpc_Status, _google_rpc_Status__Output>
    }
  }
  vkmem: {
    internal: {
      Answer: MessageTypeDefinition<_vkmem_internal_Answer, _vkmem_internal_Answer__Output>
      Call: MessageTypeDefinition<_vkmem_internal_Call, _vkmem_internal_Call__Output>
      Caller: MessageTypeDefinition<_vkmem_internal_Caller, _vkmem_internal_Caller__Output>
      CallerGone: MessageTypeDefinition<_vkmem_internal_CallerGone, _vkmem_internal_CallerGone__Output>
      Cancel: MessageTypeDefinition<_vkmem_internal_Cancel, _vkmem_internal_Cancel__Output>
      Credit: MessageTypeDefinition<_vkmem_internal_Credit, _vkmem_internal_Credit__Output>
      Drain: MessageTypeDefinition<_vkmem_internal_Drain, _vkmem_internal_Drain__Output>
      Hangup: MessageTypeDefinition<_vkmem_internal_Hangup, _vkmem_internal_Hangup__Output>
      Health: MessageTypeDefinition<_vkmem_internal_Health, _vkmem_internal_Health__Output>
      Ping: MessageTypeDefinition<_vkmem_internal_Ping, _vkmem_internal_Ping__Output>
      Plane: EnumTypeDefinition
      Pong: MessageTypeDefinition<_vkmem_internal_Pong, _vkmem_internal_Pong__Output>
      ToCore: MessageTypeDefinition<_vkmem_internal_ToCore, _vkmem_internal_ToCore__Output>
      ToFront: MessageTypeDefinition<_vkmem_internal_ToFront, _vkmem_internal_ToFront__Output>
    }
  }
}

