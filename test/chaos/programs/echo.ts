/**
 * Returns every message on fd 3 unchanged: the shortest answer of an otherwise idle process on this machine
 * at this moment.
 */
import { Connection, OwnedFd } from '@vkmemd/proto';

const connection: Connection = new Connection(new OwnedFd(3, 'the other end'), {
  message: (data) => void connection.send(data),
  close: () => process.exit(0),
});
