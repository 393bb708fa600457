//! The completions of `ringbearer` for shells, written from the table of its commands.

use super::definitions::{Definition, OptionDefinition, RINGBEARER};

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell 5 and later.
    Powershell,
}

impl Shell {
    /// The shell of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bash" => Self::Bash,
            "zsh" => Self::Zsh,
            "fish" => Self::Fish,
            "powershell" => Self::Powershell,
            _ => return None,
        })
    }
}

/// The script for a shell.
pub(super) fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
        Shell::Powershell => powershell(),
    }
}

/// The commands, those below another one before it, so that the first match is the right one.
fn commands() -> impl Iterator<Item = &'static Definition> {
    RINGBEARER.tree().into_iter().rev()
}

/// What follows the name of the program: `store init`.
fn below_program(command: &Definition) -> &'static str {
    command.path.split_once(' ').map_or("", |(_, rest)| rest)
}

/// The choices for the first operand.
fn operand_choices(command: &Definition) -> &'static [&'static str] {
    command.operands.first().map_or(&[], |operand| operand.value.choices)
}

/// What may follow a command, each word with a description.
fn offered(command: &Definition) -> Vec<(String, &'static str)> {
    let below = command.commands.iter().map(|below| (below.name().to_owned(), below.summary));
    let choices = operand_choices(command).iter().map(|choice| ((*choice).to_owned(), *choice));
    let options = command.all_options().map(|option| (format!("--{}", option.long), option.help));
    below.chain(choices).chain(options).collect()
}

/// The options with a value, each once, and the choices for the value.
fn options_with_value() -> Vec<(&'static str, &'static [&'static str])> {
    let all = RINGBEARER.tree().into_iter().flat_map(|command| command.options);
    let value = |option: &OptionDefinition| Some((option.long, option.values.first()?.choices));
    let mut found: Vec<_> = all.filter_map(value).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The arms of a `case` of bash and zsh: the words that may follow each command.
fn command_arms() -> String {
    let arm = |command: &Definition| {
        let words: Vec<_> = offered(command).into_iter().map(|(word, _)| word).collect();
        format!("    \"{} \"*) words=\"{}\" ;;\n", below_program(command), words.join(" "))
    };
    commands().map(arm).collect()
}

/// The arms of a `case` of bash and zsh: the choices behind an option, and what else to do for a file or free text.
fn option_arms(otherwise: &str) -> String {
    let (chosen, free): (Vec<_>, Vec<_>) =
        options_with_value().into_iter().partition(|(_, choices)| !choices.is_empty());
    let arm = |(long, choices): (&str, &[&str])| format!("    --{long}) words=\"{}\" ;;\n", choices.join(" "));
    let free: Vec<_> = free.into_iter().map(|(long, _)| format!("--{long}")).collect();
    format!("{}    {}) {otherwise} ;;\n", chosen.into_iter().map(arm).collect::<String>(), free.join("|"))
}

fn bash() -> String {
    format!(
        "\
# bash completion for ringbearer
_ringbearer() {{
  local words=\"\" word command=\"\"
  COMPREPLY=()
  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do
    if [ \"$word\" = -- ]; then return; fi
  done
  if [ \"$COMP_CWORD\" -gt 1 ]; then command=\"${{COMP_WORDS[1]}}\"; fi
  if [ \"$COMP_CWORD\" -gt 2 ]; then command=\"$command ${{COMP_WORDS[2]}}\"; fi
  case \"$command \" in
{}  esac
  case \"${{COMP_WORDS[COMP_CWORD-1]}}\" in
{}  esac
  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))
}}
complete -o default -F _ringbearer ringbearer
",
        command_arms(),
        option_arms("return"),
    )
}

fn zsh() -> String {
    format!(
        "\
#compdef ringbearer
# zsh completion for ringbearer
_ringbearer() {{
  local command=\"\" before=\"$words[CURRENT-1]\"
  local -i place=$CURRENT end=${{words[(i)--]}}
  if (( end < place )); then
    _files
    return
  fi
  if (( place > 2 )); then command=\"$words[2]\"; fi
  if (( place > 3 )); then command=\"$command $words[3]\"; fi
  local words=\"\"
  case \"$command \" in
{}  esac
  case \"$before\" in
{}  esac
  compadd -- ${{=words}}
  (( place > 2 )) && _files
}}
_ringbearer \"$@\"
",
        command_arms(),
        option_arms("_files; return"),
    )
}

fn fish() -> String {
    let mut lines = vec!["# fish completion for ringbearer".to_owned()];
    for command in RINGBEARER.tree() {
        let path: Vec<_> = below_program(command).split(' ').filter(|word| !word.is_empty()).collect();
        let seen: Vec<_> = path.iter().map(|word| format!("__fish_seen_subcommand_from {word}")).collect();
        let condition = if seen.is_empty() { "__fish_use_subcommand".to_owned() } else { seen.join("; and ") };
        let start = format!("complete -c ringbearer -n '{condition}'");
        let names: Vec<_> = command.commands.iter().map(Definition::name).collect();
        // Below the program, a command is offered until there is one.
        let missing = if path.is_empty() || names.is_empty() {
            start.clone()
        } else {
            let names = names.join(" ");
            format!("complete -c ringbearer -n '{condition}; and not __fish_seen_subcommand_from {names}'")
        };
        for below in command.commands {
            lines.push(format!("{missing} -f -a {} -d {}", below.name(), quoted(below.summary)));
        }
        let choices = operand_choices(command);
        if !choices.is_empty() {
            lines.push(format!("{start} -f -a '{}'", choices.join(" ")));
        }
        for option in command.all_options() {
            let value = match option.values.first().map(|value| value.choices) {
                None => String::new(),
                Some([]) => " -r".to_owned(),
                Some(choices) => format!(" -x -a '{}'", choices.join(" ")),
            };
            lines.push(format!("{start} -l {}{value} -d {}", option.long, quoted(option.help)));
        }
    }
    lines.join("\n") + "\n"
}

/// Quoted for fish.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// <https://learn.microsoft.com/powershell/module/microsoft.powershell.core/register-argumentcompleter>
fn powershell() -> String {
    let table = |words: &[(String, &str)]| {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let rows: Vec<_> = words.iter().map(|(word, about)| format!("{} = {}", quoted(word), quoted(about))).collect();
        format!("[ordered]@{{ {} }}", rows.join("; "))
    };
    let command_arms = commands()
        .map(|command| format!("        '^{} ' {{ {}; break }}\n", below_program(command), table(&offered(command))));
    let option_arms = options_with_value().into_iter().map(|(long, choices)| {
        let words: Vec<_> = choices.iter().map(|choice| ((*choice).to_owned(), *choice)).collect();
        let action = if words.is_empty() { "return".to_owned() } else { format!("$offered = {}", table(&words)) };
        format!("        '--{long}' {{ {action} }}\n")
    });
    format!(
        "\
# PowerShell completion for ringbearer
Register-ArgumentCompleter -Native -CommandName ringbearer -ScriptBlock {{
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object {{ $_.Extent.EndOffset -lt $cursorPosition }} | ForEach-Object {{ $_.Extent.Text }})
    if ($before -ccontains '--') {{ return }}
    $offered = switch -CaseSensitive -Regex (\"$(($before | Select-Object -First 2) -join ' ') \") {{
{}        default {{ [ordered]@{{}} }}
    }}
    switch -CaseSensitive ($before | Select-Object -Last 1) {{
{}    }}
    $offered.GetEnumerator() |
        Where-Object {{ $_.Key.StartsWith($wordToComplete, [System.StringComparison]::Ordinal) }} |
        ForEach-Object {{
            [System.Management.Automation.CompletionResult]::new($_.Key, $_.Key, 'ParameterValue', $_.Value)
        }}
}}
",
        command_arms.collect::<String>(),
        option_arms.collect::<String>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powershell_offers_what_the_table_has() {
        let script = powershell();
        for command in RINGBEARER.tree() {
            let start = format!("        '^{} ' {{", below_program(command));
            let line = script.lines().find(|line| line.starts_with(&start)).unwrap();
            for (word, _) in offered(command) {
                assert!(line.contains(&format!("'{word}' = '")), "{word}: {line}");
            }
        }
        let place = |path: &str| script.find(&format!("'^{path} '")).unwrap();
        assert!(place("store init") < place("store") && place("store") < place(""));
        assert!(script.contains("'--mode' { $offered = [ordered]@{ 'password' = 'password'; 'creds' = 'creds' } }"));
        assert!(script.contains("'--output-file' { return }"));
        let count = |character: char| script.matches(character).count();
        assert_eq!((count('{'), count('(')), (count('}'), count(')')));
    }

    #[test]
    fn quotes_in_descriptions_end_no_string() {
        assert_eq!(quoted("a 'b' \\"), "'a \\'b\\' \\\\'");
        for line in powershell().lines() {
            assert_eq!(line.matches('\'').count() % 2, 0, "{line}");
        }
    }

    #[test]
    fn every_shell_of_the_table_has_a_script() {
        for name in RINGBEARER.command("completions").map(operand_choices).unwrap() {
            let script = script(Shell::named(name).unwrap());
            for command in RINGBEARER.tree() {
                assert!(offered(command).iter().all(|(word, _)| script.contains(word.trim_start_matches('-'))));
            }
        }
    }
}
