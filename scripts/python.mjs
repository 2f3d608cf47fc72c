/** The Python that has protobuf: the first on the PATH may be another than that of Debian's packages. */
import { spawnSync } from 'node:child_process';

const INTERPRETERS = ['python3', '/usr/bin/python3'];
const IMPORT = ['-c', 'import google.protobuf'];

/** Its command; undefined if none has it. */
export const pythonWithProtobuf = () => INTERPRETERS.find((python) => spawnSync(python, IMPORT).status === 0);
