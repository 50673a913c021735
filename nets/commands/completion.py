"""``python -m nets completion bash|zsh``: a script that lets the shell complete ``tinygrad-hw``.

    eval "$(tinygrad-hw completion bash)"          # in ~/.bashrc
    eval "$(tinygrad-hw completion zsh)"           # in ~/.zshrc
"""

from __future__ import annotations

import argparse

from nets.commands.options import add_debug

__all__ = ["add_parser", "script"]

PROGRAM = "tinygrad-hw"


def add_parser(commands) -> None:
    """Add ``completion`` to the commands of ``python -m nets``."""
    parser = commands.add_parser(
        "completion", help=f"a script by which bash or zsh completes {PROGRAM}",
        description=f'For ~/.bashrc: eval "$({PROGRAM} completion bash)"; zsh alike.')
    parser.add_argument("shell", choices=("bash", "zsh"))
    add_debug(parser)
    parser.set_defaults(act=_completion)


def _completion(options) -> int:
    from nets.__main__ import make_parser
    from nets.systems import SYSTEMS

    print(script(make_parser(), list(SYSTEMS), options.shell))
    return 0


def script(parser: argparse.ArgumentParser, systems: list[str], shell: str) -> str:
    """The script: the words after the program decide what can follow, options or names; else files.

    Args:
        parser: of all commands.
        systems: names that follow ``run``.
        shell: "bash" or "zsh".

    >>> parser = argparse.ArgumentParser()
    >>> _ = parser.add_subparsers().add_parser("run").add_argument("--lr")
    >>> "'run') words='net --help --lr'" in script(parser, ["net"], "bash")
    True
    """
    cases = []
    for path, words in _words(parser):
        words = [*systems, *words] if path == ("run",) else words
        cases.append(f"    '{'/'.join(path)}') words='{' '.join(words)}' ;;")
    paths = " ".join("/".join(path) for path, _ in _words(parser) if path)
    start = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return f"""{start}_tinygrad_hw() {{
  local typed=${{COMP_WORDS[COMP_CWORD]}} path= words= word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$word" in -*) break ;; esac
    case " {paths} " in
      *" ${{path:+$path/}}$word "*) path="${{path:+$path/}}$word" ;;
      *) break ;;
    esac
  done
  case "$path" in
{chr(10).join(cases)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$typed") $(compgen -f -- "$typed"))
}}
complete -o filenames -F _tinygrad_hw {PROGRAM}"""


def _words(parser, path=()):
    """(path of commands, what can follow) of a parser and those below it."""
    below = {name: child for action in parser._actions if isinstance(action, argparse._SubParsersAction)
             for name, child in action.choices.items()}
    options = [option for action in parser._actions for option in action.option_strings
               if option.startswith("--")]
    choices = [str(choice) for action in parser._actions if not action.option_strings and not below
               for choice in action.choices or ()]
    yield path, [*below, *choices, *options]
    for name, child in below.items():
        yield from _words(child, (*path, name))
