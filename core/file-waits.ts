import { libc } from './symbolize/libc.js';

/**
 * To be called just before `process.exit`, which joins libuv's threads and so waits for every file
 * operation under way: an fsync takes seconds where memory is short, or never ends. With such an
 * operation under way the kernel ends all threads instead, after the listeners of `exit` have run.
 * What is half written then is a temporary file (`StateFile`).
 */
export function skipFileWaits(): void {
  if (isUsingFiles()) process.on('exit', (code) => libc().exit(code));
}

const isUsingFiles = () =>
  process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq'));
