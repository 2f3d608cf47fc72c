/**
 * One WatchBudget call as a foreign client sees it: what it was told and when, and how it ended.
 */
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import type { Decoded } from '@vkmemd/proto';

export type BudgetReport = Decoded<'WatchBudgetResponse'>;

const PATIENCE_MS = 5000;

export class Watching {
  readonly reports: BudgetReport[] = [];
  /** When each came, in milliseconds. */
  readonly times: number[] = [];
  /** The fault that the stream ended with; undefined where it ended without. */
  readonly ended: Promise<Error | undefined>;
  readonly #stream: ClientReadableStream<object>;
  #woken: () => void = () => {};
  #over = false;

  constructor(stream: ClientReadableStream<object>, asTold: (error: ServiceError) => Error) {
    this.#stream = stream;
    stream.on('data', (report: BudgetReport) => {
      this.reports.push(report);
      this.times.push(performance.now());
      this.#woken();
    });
    this.ended = new Promise((resolve) => {
      stream.once('error', (error: ServiceError) => resolve(asTold(error)));
      stream.once('end', () => resolve(undefined));
    });
    void this.ended.then(() => {
      this.#over = true;
      this.#woken();
    });
  }

  /** The first report, from here on or of those that came, that is as wanted. @throws Error where none comes, or the fault. */
  async until(wanted: (report: BudgetReport) => boolean): Promise<BudgetReport> {
    const end = performance.now() + PATIENCE_MS;
    for (let index = 0; ; index += 1) {
      while (index >= this.reports.length) {
        if (this.#over) throw (await this.ended) ?? new Error('the stream ended');
        const left = end - performance.now();
        if (left <= 0) throw new Error(`not told in time: ${this.reports.length} reports`);
        await new Promise<void>((resolve) => {
          this.#woken = resolve;
          setTimeout(resolve, left).unref();
        });
      }
      const report = this.reports[index];
      if (report && wanted(report)) return report;
    }
  }

  /** Forgets what came. */
  clear(): void {
    this.reports.length = 0;
    this.times.length = 0;
  }

  cancel(): void {
    this.#stream.cancel();
  }
}
