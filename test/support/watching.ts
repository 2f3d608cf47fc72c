/**
 * One streaming call that watches, as an independent client sees it: the reports with their times, and how it
 * ended.
 */
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import type { Decoded } from '@vkmemd/proto';

export type BudgetReport = Decoded<'WatchBudgetResponse'>;

const PATIENCE_MS = 5000;

export class Watching<R extends object = BudgetReport> {
  readonly reports: R[] = [];
  /** The arrival time of each report, in milliseconds. */
  readonly times: number[] = [];
  /** The error that the stream ended with; undefined where it ended without one. */
  readonly ended: Promise<Error | undefined>;
  readonly #stream: ClientReadableStream<object>;
  #woken: () => void = () => {};
  #over = false;

  constructor(stream: ClientReadableStream<object>, asReported: (error: ServiceError) => Error) {
    this.#stream = stream;
    stream.on('data', (report: R) => {
      this.reports.push(report);
      this.times.push(performance.now());
      this.#woken();
    });
    this.ended = new Promise((resolve) => {
      stream.once('error', (error: ServiceError) => resolve(asReported(error)));
      stream.once('end', () => resolve(undefined));
    });
    void this.ended.then(() => {
      this.#over = true;
      this.#woken();
    });
  }

  /**
   * The first report that matches, among those received and those to come.
   * @throws Error if none comes, or the error of the stream.
   */
  async until(wanted: (report: R) => boolean): Promise<R> {
    const end = performance.now() + PATIENCE_MS;
    for (let index = 0; ; index += 1) {
      while (index >= this.reports.length) {
        if (this.#over) throw (await this.ended) ?? new Error('the stream ended');
        const left = end - performance.now();
        if (left <= 0) throw new Error(`no matching report in time: ${this.reports.length} reports`);
        await new Promise<void>((resolve) => {
          this.#woken = resolve;
          setTimeout(resolve, left).unref();
        });
      }
      const report = this.reports[index];
      if (report && wanted(report)) return report;
    }
  }

  /** Discards the reports received so far. */
  clear(): void {
    this.reports.length = 0;
    this.times.length = 0;
  }

  /** Stops reading until resume(). */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  cancel(): void {
    this.#stream.cancel();
  }
}
