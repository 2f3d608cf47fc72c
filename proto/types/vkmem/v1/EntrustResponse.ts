// Original file: proto/vkmem/v1/memory.proto

import type { Long } from '@grpc/proto-loader';

export interface EntrustResponse {
  'sessionId'?: (number | string | Long);
}

export interface EntrustResponse__Output {
  'sessionId': (Long);
}
