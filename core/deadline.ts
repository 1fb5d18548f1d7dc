import { MemWatcherError } from './errors.js';

/**
 * Waits for `work` at most `milliseconds`, then throws DEADLINE_EXCEEDED saying `what` took too
 * long. The work itself is not cancelled; what it acquires later meets a closed scope.
 */
export async function withDeadline<T>(
  work: () => T | Promise<T>,
  milliseconds: number,
  what: string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `${what} took longer than ${milliseconds / 1000} s`;
      reject(new MemWatcherError('DEADLINE_EXCEEDED', message));
    }, milliseconds);
  });
  try {
    return await Promise.race([(async () => work())(), expired]);
  } finally {
    clearTimeout(timer);
  }
}
