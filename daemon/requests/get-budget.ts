/** GetBudget: returns every heap's account, and the daemon's counts. */
import type { BudgetReports } from '../memory/accounting/report.js';
import { type Handler, reply } from './handler.js';

export function getBudget({ reports }: { readonly reports: BudgetReports }): Handler<'GetBudget'> {
  return async () => {
    const { heaps, counts } = await reports.now();
    return reply({ heaps, counts });
  };
}
