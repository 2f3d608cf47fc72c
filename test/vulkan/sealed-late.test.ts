/** A client that seals its memfd against writing between the checks and the import. */
import { addSeals, createMemfd, SEALS } from '@vkmemd/proto';
import t from 'tap';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { needsLavapipe, openFds } from './support.js';

if (needsLavapipe) t.plan(0, needsLavapipe);
else {
  const device = await Device.open();
  t.teardown(() => device.close());

  for (const seal of ['WRITE', 'FUTURE_WRITE'] as const) {
    t.test(`F_SEAL_${seal} after the checks is rejected`, async (t) => {
      const before = openFds();
      const memfd = await createMemfd('late', 65_536n, { sealed: false });
      const uuids = { deviceUuid: new Uint8Array(16), driverUuid: new Uint8Array(16) };
      const terms = { source: 'MEMFD', size: 0n, kinds: [], ...uuids } as const;
      const plan = await device.planImport(terms, memfd);
      t.equal(plan.size, 65_536n, 'the memfd passed the checks');
      addSeals(memfd, SEALS[seal]);
      await t.rejects(device.import(terms, plan, memfd.dup()), { code: 'INVALID_HANDLE', message: /EPERM/ });
      t.equal(device.liveMemories, 0);
      memfd.close();
      t.equal(openFds(), before);
    });
  }
}
