/**
 * Metrics of the process: processor time, memory, files, start time, and the delay of its event loop.
 *
 * The names that begin with process_ are those of Prometheus' own client libraries. The delay is measured by
 * a timer that should fire every SAMPLE_MS: the metric is how much later it fired, over all samples since the
 * last reading. With more than one reader, use the counters of active and idle time, which no reading resets.
 */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { counter, type Family, gauge, single } from './family.js';

const SAMPLE_MS = 20;
const QUANTILES = [0.5, 0.9, 0.99, 1];

export class ProcessMetrics implements Disposable {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  readonly #maxFiles = maxFiles();

  constructor() {
    this.#delays.enable();
  }

  async read(): Promise<Family[]> {
    // One of the listed fds is that of the listing itself.
    const open = (await readdir('/proc/self/fd')).length - 1;
    const { user, system } = process.cpuUsage();
    const { active, idle } = performance.eventLoopUtilization();
    const delays = QUANTILES.map((quantile): [{ quantile: string }, number] => [
      { quantile: String(quantile) },
      this.#delay(quantile),
    ]);
    this.#delays.reset();
    return [
      gauge(
        'process_resident_memory_bytes',
        'Resident memory size in bytes.',
        single(process.memoryUsage.rss()),
      ),
      gauge('process_open_fds', 'Number of open file descriptors.', single(open)),
      gauge(
        'vkmemd_event_loop_delay_seconds',
        'Delay of a timer, of all samples since the last scrape; quantile 1 is the maximum.',
        delays,
      ),
      counter(
        'process_cpu_seconds_total',
        'Total user and system CPU time spent in seconds.',
        single((user + system) / 1e6),
      ),
      counter(
        'vkmemd_event_loop_active_seconds_total',
        'Time in which the event loop was active.',
        single(active / 1e3),
      ),
      counter(
        'vkmemd_event_loop_idle_seconds_total',
        'Time in which the event loop was idle.',
        single(idle / 1e3),
      ),
      gauge(
        'process_start_time_seconds',
        'Start time of the process since unix epoch in seconds.',
        single(performance.timeOrigin / 1000),
      ),
      gauge('process_max_fds', 'Maximum number of open file descriptors.', single(this.#maxFiles)),
    ];
  }

  [Symbol.dispose](): void {
    this.#delays.disable();
  }

  /** A sample is the time between two firings; what exceeds the interval is the delay. */
  #delay(quantile: number): number {
    if (this.#delays.count === 0) return 0;
    const nanoseconds = this.#delays.percentile(quantile * 100);
    return Math.max(0, nanoseconds / 1e9 - SAMPLE_MS / 1e3);
  }
}

/** RLIMIT_NOFILE, the soft limit, which Node.js has raised to the hard limit. */
function maxFiles(): number {
  const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}
