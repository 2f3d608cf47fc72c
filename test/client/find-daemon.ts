/** Prints what findDaemon() says where FOLDER takes the place of /run/vkmemd. Usage: find-daemon.js FOLDER */
import { join } from 'node:path';
import { VkmemError } from '@vkmemd/proto';
import { root } from '../support/daemon.js';

const { findDaemon } = (await import(join(root, 'client/typescript/dist/connection/discovery.js'))) as {
  findDaemon(place: object, env: object, system?: string): object;
};

try {
  console.log(JSON.stringify(findDaemon({}, {}, process.argv[2])));
} catch (failure) {
  if (!(failure instanceof VkmemError)) throw failure;
  console.log(JSON.stringify({ code: failure.code, reason: failure.reason }));
}
