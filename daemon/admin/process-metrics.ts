/**
 * Metrics of the process: processor time, memory, files, start time, and the delay of its event loop.
 *
 * The names that begin with process_ are those of Prometheus' own client libraries. The delay is measured by
 * a timer that should fire every SAMPLE_MS: the metric is how much later it fired, over all samples since the
 * last scrape. With more than one scraper, use the counters of active and idle time, which no scrape resets.
 */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';

const SAMPLE_MS = 20;
const QUANTILES = [0.5, 0.9, 0.99, 1];

export class ProcessMetrics {
  readonly #delays: IntervalHistogram;
  readonly #maxFiles: number;
  readonly #gauges: Readonly<Record<'memory' | 'open' | 'delay', Gauge>>;
  readonly #counters: Readonly<Record<'processor' | 'active' | 'idle', Counter>>;

  constructor(registry: Registry) {
    const registers = [registry];
    const gauge = (name: string, help: string, labelNames: string[] = []) =>
      new Gauge({ name, help, labelNames, registers });
    const counter = (name: string, help: string) => new Counter({ name, help, registers });
    this.#gauges = {
      memory: gauge('process_resident_memory_bytes', 'Resident memory size in bytes.'),
      open: gauge('process_open_fds', 'Number of open file descriptors.'),
      delay: gauge(
        'vkmemd_event_loop_delay_seconds',
        'Delay of a timer, of all samples since the last scrape; quantile 1 is the maximum.',
        ['quantile'],
      ),
    };
    this.#counters = {
      processor: counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.'),
      active: counter('vkmemd_event_loop_active_seconds_total', 'Time in which the event loop was active.'),
      idle: counter('vkmemd_event_loop_idle_seconds_total', 'Time in which the event loop was idle.'),
    };
    const began = gauge(
      'process_start_time_seconds',
      'Start time of the process since unix epoch in seconds.',
    );
    began.set(performance.timeOrigin / 1000);
    this.#maxFiles = maxFiles();
    gauge('process_max_fds', 'Maximum number of open file descriptors.').set(this.#maxFiles);
    this.#delays = monitorEventLoopDelay({ resolution: SAMPLE_MS });
    this.#delays.enable();
  }

  async look(): Promise<void> {
    const { user, system } = process.cpuUsage();
    const { active, idle } = performance.eventLoopUtilization();
    const { processor, active: worked, idle: waited } = this.#counters;
    for (const [counter, seconds] of [
      [processor, (user + system) / 1e6],
      [worked, active / 1e3],
      [waited, idle / 1e3],
    ] as const) {
      counter.reset();
      counter.inc(seconds);
    }
    this.#gauges.memory.set(process.memoryUsage.rss());
    for (const quantile of QUANTILES) this.#gauges.delay.set({ quantile }, this.#delay(quantile));
    this.#delays.reset();
    // One of the listed fds is that of the listing itself.
    this.#gauges.open.set((await readdir('/proc/self/fd')).length - 1);
  }

  close(): void {
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
