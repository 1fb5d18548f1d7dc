import { execFileSync } from 'node:child_process';

/** Runs a program to its end and gives what it printed; throws with its last words if it failed. */
export function command(
  file: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): string {
  try {
    return execFileSync(file, args, {
      ...options,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 256 * 1024 * 1024,
    });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    if (code === 'ENOENT') throw new Error(`${file} is not installed: run npm run setup -- --test`);
    const words = String(stderr ?? '')
      .trim()
      .split('\n')
      .slice(-8)
      .join('\n');
    throw new Error(`${file} ${args.join(' ')} failed:\n${words}`, { cause: error });
  }
}
