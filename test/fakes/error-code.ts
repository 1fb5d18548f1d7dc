import assert from 'node:assert/strict';
import { MemWatcherError } from '../../core/errors.js';

/** For assert.throws: an error of ours with that code. */
export function code(code: string, message = /./) {
  return (error: unknown): boolean => {
    assert(error instanceof MemWatcherError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}
