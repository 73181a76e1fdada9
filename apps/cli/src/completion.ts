/** Scripts for shells, from the tree of commands: a shell then completes without running anything. */
import type { Command, Option } from 'commander';

/** For `source <(spikellm completion bash)`. After an option, and for a model, files are completed. */
export function bashCompletion(program: Command): string {
  const cases = program.commands.map(
    (command) => `    ${command.name()}) words='${namesOf(command).join(' ')}' ;;`,
  );
  return `_spikellm() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words=''
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${program.commands.map((command) => command.name()).join(' ')}'
  else case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac; fi
  case "$COMP_CWORD$word" in 1*|*-*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;; *) COMPREPLY=() ;; esac
}
complete -o default -F _spikellm spikellm`;
}

/** For `source <(spikellm completion zsh)`, after `compinit`. */
export function zshCompletion(program: Command): string {
  const commands = program.commands.map(
    (command) => `    ${quoted(`${command.name()}:${command.description()}`)}`,
  );
  const cases = program.commands.map((command) => {
    const specs = optionsOf(command).map((option) => {
      const description = option.description.replaceAll(/[[\]:\\]/g, String.raw`\$&`);
      return quoted(`${option.long}[${description}]${takesValue(option) ? ':value:_files' : ''}`);
    });
    return `    ${command.name()}) _arguments ${[...specs, "'*:file:_files'"].join(' ')} ;;`;
  });
  return `#compdef spikellm
_spikellm() {
  local -a commands=(
${commands.join('\n')}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  local name=$words[2]
  shift words; (( CURRENT-- ))
  case $name in
${cases.join('\n')}
  esac
}
compdef _spikellm spikellm`;
}

/** For `spikellm completion fish | source`. */
export function fishCompletion(program: Command): string {
  const lines = program.commands.flatMap((command) => [
    `complete -c spikellm -n __fish_use_subcommand -f -a ${command.name()} -d ${fishQuoted(command.description())}`,
    ...optionsOf(command).map((option) => {
      const name = option.long!.slice(2);
      const value = takesValue(option) ? ' -r' : '';
      const where = `-n '__fish_seen_subcommand_from ${command.name()}'`;
      return `complete -c spikellm ${where} -l ${name}${value} -d ${fishQuoted(option.description)}`;
    }),
  ]);
  return lines.join('\n');
}

const optionsOf = (command: Command): Option[] =>
  command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long != null);

const namesOf = (command: Command): string[] => optionsOf(command).map(({ long }) => long!);

const takesValue = ({ required, optional }: Option): boolean => required || optional;

/** A word of a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

const fishQuoted = (text: string): string => `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
