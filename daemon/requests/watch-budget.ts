/** WatchBudget: sends the current budget, and each later state that differs. */
import type { BudgetWatch } from '../memory/watch/watch.js';
import type { StreamHandler } from './handler.js';

/** @throws VkmemError as BudgetWatch.follow. */
export function watchBudget({
  budgetWatch,
}: {
  readonly budgetWatch: BudgetWatch;
}): StreamHandler<'WatchBudget'> {
  return (caller, _request, signal) => budgetWatch.follow(caller, signal);
}
