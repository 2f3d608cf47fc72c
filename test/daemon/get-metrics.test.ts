/** GetMetrics over gRPC, and who may ask for what on the planes without fds. */
import { type RequestName, requestRow, requestsOf } from '@vkmemd/proto';
import t from 'tap';
import type { Authority } from 'vkmemd/dist/memory/authority.js';
import type { AnyCaller } from 'vkmemd/dist/memory/session/caller.js';
import { requirePlane } from 'vkmemd/dist/requests/access.js';
import { scrape } from '../admin/support.js';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const kinds = ['KIND_MAPPABLE'] as const;

t.test('the metrics are those of the page', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const control = new ControlWire(runtimeDir);
  const wire = await HandoffWire.open(runtimeDir);
  for (let i = 0; i < 3; i += 1) {
    const { fds } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds, grantKinds: kinds } });
    for (const fd of fds) fd.close();
  }
  const { families } = await control.call('GetMetrics', {});
  const metricOf = (name: string, labels: Record<string, string> = {}) => {
    const family = families.find((one) => one.name === name);
    const metric = family?.metrics.find((one) =>
      Object.entries(labels).every(([label, value]) =>
        one.labels.some((pair) => pair.name === label && pair.value === value),
      ),
    );
    return { type: family?.type, help: family?.help, value: metric?.value, histogram: metric?.histogram };
  };
  const allocates = { plane: 'handoff', operation: 'allocate' };
  t.match(metricOf('vkmemd_requests_total', { ...allocates, code: 'OK' }), {
    type: 'METRIC_TYPE_COUNTER',
    help: /./,
    value: 3,
  });
  t.match(metricOf('vkmemd_grants', { kind: 'MAPPABLE' }), { type: 'METRIC_TYPE_GAUGE', value: 3 });
  t.match(metricOf('vkmemd_front_present'), { type: 'METRIC_TYPE_GAUGE', value: 1 });
  t.match(metricOf('vkmemd_front_restarts_total'), { type: 'METRIC_TYPE_COUNTER', value: 0 });
  const { histogram } = metricOf('vkmemd_request_duration_seconds', allocates);
  t.equal(histogram?.sampleCount, 3n);
  t.ok(
    histogram?.buckets.every(
      ({ upperBound, cumulativeCount }, at, { [at - 1]: before }) =>
        upperBound > (before?.upperBound ?? 0) && cumulativeCount >= (before?.cumulativeCount ?? 0n),
    ),
    'bounds ascend, and counts do not descend',
  );
  const page = await scrape(runtimeDir);
  for (const name of ['allocations', 'allocations_with_kind', 'grants', 'sessions', 'device_memories']) {
    const family = families.find((one) => one.name === `vkmemd_${name}`);
    const sum = family?.metrics.reduce((total, { value }) => total + value, 0);
    t.equal(page(`vkmemd_${name}`), sum, name);
  }
  wire.close();
  await assertNoLeaks(t, runtimeDir);
  const after = await scrape(runtimeDir);
  for (const name of ['allocations', 'grants', 'sessions']) t.equal(after(`vkmemd_${name}`), 0, name);
  control.close();
});

t.test('what the planes permit', async (t) => {
  const OPERATOR = 1;
  const TENANT = 2;
  const STRANGER = 3;
  const authority = {
    isOperator: ({ uid }: { uid: number }) => uid === OPERATOR,
    requireConnect: ({ uid }: { uid: number }) => {
      if (uid === STRANGER) throw new Error('not permitted');
    },
  } as unknown as Authority;
  const callerOf = (uid: number | undefined) =>
    ({ identity: uid === undefined ? undefined : { uid }, gone: () => false }) as unknown as AnyCaller;
  const all = (['handoff', 'control', 'internal'] as const).flatMap((plane) =>
    requestsOf(plane).map(([name]) => name),
  );
  const names = [...new Set(all)].sort();
  const permitted = (plane: 'control' | 'admin', uid: number | undefined): RequestName[] =>
    names.filter((name) => {
      try {
        requirePlane(authority, plane, callerOf(uid), name);
        return true;
      } catch {
        return false;
      }
    });
  const OPEN = ['GetHealth', 'GetMetrics', 'GetStatus'];
  t.strictSame(permitted('admin', undefined), OPEN, 'TCP');
  t.strictSame(permitted('admin', TENANT), ['GetHealth'], 'a user');
  const reading = permitted('admin', OPERATOR);
  t.ok(
    [...OPEN, 'ListSessions', 'ListDevices', 'GetBudget'].every((name) => reading.includes(name as never)),
  );
  t.ok(reading.every((name) => requestRow(name).repeat === 'free' && requestRow(name).shape === 'unary'));
  const onControl = requestsOf('control').map(([name]) => name);
  t.strictSame(
    permitted('control', TENANT),
    [...onControl].sort(),
    'the control socket has all its requests',
  );
  t.strictSame(permitted('control', STRANGER), []);
  t.strictSame(permitted('control', undefined), []);
});
