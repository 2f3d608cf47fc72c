/**
 * Sends back what comes on fd 3, as it came: how quick an answer of a process that does nothing else can be,
 * on this machine, at this moment.
 */
import { Connection, OwnedFd } from '@vkmemd/proto';

const connection: Connection = new Connection(new OwnedFd(3, 'the other end'), {
  message: (data) => void connection.send(data),
  close: () => process.exit(0),
});
