/**
 * The other side, as a process of its own: connects to the socket named on the command line and returns every
 * message, fds included. Ends with the connection. With a second argument `idle` it connects and does
 * nothing.
 */

import { connectSeqpacket } from '@vkmemd/proto';

const [path = '', behaviour = 'echo'] = process.argv.slice(2);
const connection = connectSeqpacket(
  path,
  {
    message(data, fds) {
      if (behaviour === 'echo') connection.send(data, fds);
      else for (const fd of fds) fd.close();
    },
    close() {},
  },
  { maxFds: 253 },
);
