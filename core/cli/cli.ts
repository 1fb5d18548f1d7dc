import { expandAliases } from './aliases.js';
import { type CliContext, ExitCode } from './context.js';
import { buildProgram } from './program.js';
import { reportError } from './report.js';

/** Runs one command line (without `node` and the script). Resolves to the exit code, always. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  let code: number = ExitCode.ok;
  try {
    const program = buildProgram(context, (result) => {
      code = result;
    });
    await program.parseAsync(expandAliases(argv, context.plugins), { from: 'user' });
    return code;
  } catch (error) {
    return reportError(error, context.stderr);
  }
}
