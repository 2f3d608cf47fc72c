/** All behaviours of attackers. A new one is a file in this folder and a line here. */
import type { Behaviour } from '../behaviour.js';
import { cancelledCalls } from './cancelled-calls.js';
import { connectStorm } from './connect-storm.js';
import { deaf } from './deaf.js';
import { denied } from './denied.js';
import { fdCounts } from './fd-counts.js';
import { flood } from './flood.js';
import { forgedTickets } from './forged-tickets.js';
import { forgedTokens } from './forged-tokens.js';
import { garbage } from './garbage.js';
import { gifts } from './gifts.js';
import { halfHandshake } from './half-handshake.js';
import { heavyMessages } from './heavy-messages.js';
import { hoard } from './hoard.js';
import { holes } from './holes.js';
import { imports } from './imports.js';
import { lengths } from './lengths.js';
import { malformedFrames } from './malformed-frames.js';
import { nibbler } from './nibbler.js';
import { nonReaders } from './non-readers.js';
import { otherKinds } from './other-kinds.js';
import { procPeeking } from './proc-peeking.js';
import { publishing } from './publishing.js';
import { shutOut } from './shut-out.js';
import { tampering } from './tampering.js';
import { tickets } from './tickets.js';
import { trespass } from './trespass.js';
import { watchers } from './watchers.js';
import { worker } from './worker.js';
import { writers } from './writers.js';

export const behaviours: readonly Behaviour[] = [
  cancelledCalls,
  connectStorm,
  deaf,
  denied,
  fdCounts,
  flood,
  forgedTickets,
  forgedTokens,
  garbage,
  gifts,
  halfHandshake,
  heavyMessages,
  hoard,
  holes,
  imports,
  lengths,
  malformedFrames,
  nibbler,
  nonReaders,
  otherKinds,
  procPeeking,
  publishing,
  shutOut,
  tampering,
  tickets,
  trespass,
  watchers,
  worker,
  writers,
];
