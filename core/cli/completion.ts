import { Argument, type Command } from 'commander';
import { type CliContext, ExitCode } from './context.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export function registerCompletion(
  program: Command,
  context: CliContext,
  exit: (code: number) => void,
) {
  program
    .command('completion')
    .helpGroup('Help:')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .summary('completion of commands and options for a shell')
    .description(
      'Prints a script for the shell. bash: source <(mem-watcher completion bash); zsh: the same ' +
        'after compinit; fish: mem-watcher completion fish | source',
    )
    .action((shell: Shell) => {
      context.stdout.write(SCRIPTS[shell](wordsOf(program, context)));
      exit(ExitCode.ok);
    });
}

interface Words {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionWords[];
  /** What can stand after the command. */
  readonly values: readonly string[];
}

interface OptionWords {
  readonly flags: readonly string[];
  readonly about: string;
  readonly takesFile: boolean;
}

function wordsOf(program: Command, { plugins }: CliContext): Words[] {
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    options: command
      .createHelp()
      .visibleOptions(command)
      .map(({ short, long, flags, description }) => ({
        flags: [short, long].filter((flag) => flag !== undefined),
        about: description,
        takesFile: flags.includes('<file>'),
      })),
    values:
      command.name() === 'plugins'
        ? plugins.map(({ metadata }) => metadata.name)
        : command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  }));
}

/** Options after which a file is completed. */
const fileFlags = (commands: readonly Words[]) => [
  ...new Set(
    commands.flatMap(({ options }) =>
      options.filter(({ takesFile }) => takesFile).flatMap(({ flags }) => flags),
    ),
  ),
];

const flagsOf = ({ options, values }: Words) =>
  [...options.flatMap(({ flags }) => flags), ...values].join(' ');

/** Inside single quotes of a POSIX shell. */
const quoted = (text: string) => text.replaceAll("'", "'\\''");

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Words[]) => string>> = {
  bash: (commands) => `# bash completion of mem-watcher
_mem_watcher() {
  local word="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${commands.map(({ name }) => name).join(' ')} --help --version'
  elif ${fileFlags(commands)
    .map((flag) => `[ "$previous" = ${flag} ]`)
    .join(' || ')}; then
    COMPREPLY=($(compgen -f -- "$word"))
    return
  else
    case "\${COMP_WORDS[1]}" in
${commands.map((command) => `      ${command.name}) words='${flagsOf(command)}' ;;`).join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _mem_watcher mem-watcher
`,
  zsh: (commands) => `#compdef mem-watcher
# zsh completion of mem-watcher
_mem_watcher() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    '${name}:${quoted(summary.replaceAll(':', '\\:'))}'`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "\${words[CURRENT-1]}" in
    ${fileFlags(commands).join('|')}) _files; return ;;
  esac
  case "\${words[2]}" in
${commands.map((command) => `    ${command.name}) compadd -- ${flagsOf(command)} ;;`).join('\n')}
  esac
}
compdef _mem_watcher mem-watcher
`,
  fish: (commands) =>
    [
      '# fish completion of mem-watcher',
      'complete -c mem-watcher -f',
      ...commands.flatMap(({ name, summary, options, values }) => [
        `complete -c mem-watcher -n __fish_use_subcommand -a ${name} -d '${quoted(summary)}'`,
        ...options.map((option) => fishOption(name, option)),
        ...values.map((value) => `${fishCommand(name)} -a ${value}`),
      ]),
      '',
    ].join('\n'),
};

const fishCommand = (name: string) =>
  `complete -c mem-watcher -n '__fish_seen_subcommand_from ${name}'`;

function fishOption(name: string, { flags, about, takesFile }: OptionWords): string {
  const spelled = flags.map((flag) =>
    flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
  );
  const file = takesFile ? ' -r -F' : '';
  return `${fishCommand(name)} ${spelled.join(' ')}${file} -d '${quoted(about)}'`;
}
