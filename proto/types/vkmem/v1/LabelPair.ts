// Original file: proto/vkmem/v1/control.proto


export interface LabelPair {
  'name'?: (string);
  'value'?: (string);
}

export interface LabelPair__Output {
  'name': (string);
  'value': (string);
}
