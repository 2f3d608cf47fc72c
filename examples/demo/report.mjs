/** The demo's result as text. With --json the result itself is printed. */

const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** One budget as one line: every heap's account, then the daemon's counts. */
function budgetLine({ heaps, counts }) {
  const inHeaps = heaps.map(
    ({ heapIndex, liveBytes, drainingBytes, availableBytes }) =>
      `heap ${heapIndex}: ${mib(liveBytes)} live, ${mib(drainingBytes)} draining, ${mib(availableBytes)} available`,
  );
  return `${inHeaps.join('; ')}; ${counts.sessions} sessions, ${counts.allocations} allocations, ${counts.grants} grants`;
}

export function reportText({ ok, device, bytes, sha256Match, sandbox, steps, budget, leaks }) {
  const width = Math.max(...steps.map(({ name }) => name.length));
  return [
    `Device   ${device.name}, driver ${device.driver}`,
    `         ${device.deviceUuid}`,
    `Workers  two ${sandbox} sandboxes: no network, no GPU node, read-only system`,
    '',
    ...steps.map(({ name, ms }) => `${name.padEnd(width)}  ${ms.toFixed(2).padStart(9)} ms`),
    '',
    'Budget',
    ...Object.entries(budget).map(([when, report]) => `  ${when.padEnd(6)}  ${budgetLine(report)}`),
    '',
    sha256Match
      ? `The consumer read the ${mib(bytes)} of the producer, and the device's copy: the SHA-256 is the same.`
      : 'The consumer read other bytes than the producer wrote.',
    ok ? 'Everything was released.' : `Left behind: ${leaks}.`,
  ].join('\n');
}
