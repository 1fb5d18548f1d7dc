/**
 * Timers of the same interval that share one: to wake the agent costs 0.2 ms of CPU, whatever it
 * does then, and plugins that each wake it ten times a second would be most of what it costs.
 */

interface Ticker {
  readonly timer: NodeJS.Timeout;
  readonly tasks: Set<() => void>;
}

const tickers = new Map<number, Ticker>();

/**
 * Calls `task` every `interval` ms until what comes back is called; keeps no process alive. A task
 * handles its own errors: one that throws ends the agent, as in any timer.
 */
export function everyTick(interval: number, task: () => void): () => void {
  const ticker = tickers.get(interval) ?? start(interval);
  // Two that are alike are two.
  const own = () => task();
  ticker.tasks.add(own);
  return () => {
    if (!ticker.tasks.delete(own) || ticker.tasks.size > 0) return;
    clearInterval(ticker.timer);
    tickers.delete(interval);
  };
}

function start(interval: number): Ticker {
  const tasks = new Set<() => void>();
  const tick = () => {
    for (const task of tasks) task();
  };
  const ticker = { tasks, timer: setInterval(tick, interval).unref() };
  tickers.set(interval, ticker);
  return ticker;
}
