/** Who this is, and the command line by which root does what this user may not. */
import { userInfo } from 'node:os';
import { ROOT } from './paths.mjs';
import { findProgram } from './programs.mjs';
import { quoted } from './quoted.mjs';

export const isRoot = () => process.getuid?.() === 0;

/** How to run commands here, one after the other, as root, by what this machine has. */
export function asRoot(...commands) {
  if (isRoot()) return commands.join(' && ');
  if (findProgram('sudo')) return commands.map((command) => `sudo ${command}`).join(' && ');
  // Only a login shell has the directories on its PATH that apt needs.
  return `su - -c ${quoted([`cd ${quoted(ROOT)}`, ...commands].join(' && '))}`;
}

/** The name, or the number where this user has none (as in many containers). */
export function userName() {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.());
  }
}
