"""`phiforge chat`: a conversation in the terminal. Ctrl-C stops an answer and keeps what was said; Ctrl-D leaves."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from phiforge.cli.ask import MAX_TOKENS
from phiforge.cli.options import Screen, add_model_options, grammar_of, note_ending, open_lm, settings_of, speed_line
from phiforge.records import Message, read_jsonl, write_jsonl

if TYPE_CHECKING:
    from phiforge.engine.request import Sampling
    from phiforge.lm import LanguageModel, Options, Reply

HELP = '''  /help            this list
  /reset           forget the conversation (the system message stays)
  /retry           answer the last question again
  /undo            take back the last question and its answer
  /system [TEXT]   show the system message, or set it and start anew
  /save FILE       write the conversation as JSONL
  /load FILE       continue a saved conversation
  /quit            leave (so does Ctrl-D)
  """              begins and ends a message of several lines'''


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="read questions line by line, write a JSON reply for each")
    parser.add_argument("--load", metavar="FILE", type=Path, help="continue a saved conversation")
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    grammar = grammar_of(args)
    with open_lm(args) as lm:
        sampling, options = settings_of(args, lm, grammar)
        if sampling.max_tokens is None:
            sampling = replace(sampling, max_tokens=MAX_TOKENS)
        talk = Talk(lm, sampling, options, args.system)
        if args.load:
            talk.load(args.load)
        return _machine(talk) if args.json else _person(talk)


class Talk:
    """The conversation so far, and how it goes on."""

    def __init__(self, lm: LanguageModel, sampling: Sampling, options: Options, system: str | None) -> None:
        self.lm = lm
        self.sampling = sampling
        self.options = options
        self.messages: list[Message] = []
        self.start(system)

    @property
    def system(self) -> str | None:
        return self.messages[0].text if self.messages and self.messages[0].role == "system" else None

    def start(self, system: str | None) -> None:
        """Begin anew under a system message, or under none."""
        self.messages = [Message("system", system)] if system else []

    def undo(self) -> str | None:
        """Take back the last question with everything after it; the question, or None where there is none."""
        last = next((i for i in reversed(range(len(self.messages))) if self.messages[i].role == "user"), None)
        if last is None:
            return None
        question = self.messages[last].text
        del self.messages[last:]
        return question

    def load(self, file: Path) -> None:
        self.messages = list(read_jsonl(file, Message))

    def ask(self, question: str, screen: Screen | None) -> Reply:
        """Add a question and its answer. A question that cannot be answered, or was interrupted before the first
        word, leaves the conversation as it was."""
        from phiforge.lm import Reply
        from phiforge.lm.base import Writing

        asked = [*self.messages, Message("user", question)]
        partial = Writing(0)
        reply = None
        try:
            for item in self.lm.stream(asked, sampling=self.sampling, options=self.options):
                if isinstance(item, Reply):
                    reply = item
                    continue
                partial.take([item.event])
                if screen:
                    screen.show(item)
        except KeyboardInterrupt:
            reply = partial.reply("cancelled", 0)
            if not reply.message.text:
                raise
        assert reply is not None
        self.messages = [*asked, reply.message]
        return reply


def _machine(talk: Talk) -> int:
    import msgspec

    for line in sys.stdin:
        if line.strip():
            reply = talk.ask(line.strip(), None)
            print(json.dumps(msgspec.to_builtins(reply), ensure_ascii=False), flush=True)
    return 0


def _person(talk: Talk) -> int:
    history = _remember_lines()
    print(f"{talk.lm.name}. /help lists the commands, Ctrl-D leaves.", file=sys.stderr)
    while True:
        try:
            line = _read()
            if line.startswith("/"):
                line = _command(talk, line)
                if line is None:
                    continue
            if line.strip():
                _answer(talk, line)
        except KeyboardInterrupt:
            print("\n(interrupted)", file=sys.stderr)
        except EOFError:
            print(file=sys.stderr)
            break
        except (ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
    if history:
        history()
    return 0


def _answer(talk: Talk, question: str) -> None:
    screen = Screen()
    try:
        reply = talk.ask(question, screen)
    finally:
        screen.end()
    if reply.finish_reason == "cancelled":
        print("(stopped; what was said is kept)", file=sys.stderr)
    else:
        note = note_ending(reply)
        print(f"({note + '; ' if note else ''}{speed_line(screen.speed(reply.tokens))})\n", file=sys.stderr)


def _command(talk: Talk, line: str) -> str | None:
    """Carry out a command. Returns a question to ask, if the command is one that asks."""
    name, _, rest = line.partition(" ")
    rest = rest.strip()
    match name:
        case "/help":
            print(HELP, file=sys.stderr)
        case "/reset":
            talk.start(talk.system)
            print("(a new conversation)", file=sys.stderr)
        case "/retry":
            question = talk.undo()
            if question is None:
                raise ValueError("there is no question to answer again")
            return question
        case "/undo":
            if talk.undo() is None:
                raise ValueError("there is nothing to take back")
        case "/system" if not rest:
            print(talk.system or "(no system message of yours)", file=sys.stderr)
        case "/system":
            talk.start(rest)
            print("(a new conversation under this system message)", file=sys.stderr)
        case "/save" | "/load" if not rest:
            raise ValueError(f"{name} needs a file name")
        case "/save":
            print(f"({write_jsonl(rest, talk.messages)} messages written to {rest})", file=sys.stderr)
        case "/load":
            talk.load(Path(rest))
            print(f"({len(talk.messages)} messages read)", file=sys.stderr)
        case "/quit" | "/exit":
            raise EOFError
        case _:
            raise ValueError(f"{name} is not a command; /help lists them")
    return None


def _read() -> str:
    line = input("> ")
    if not line.startswith('"""'):
        return line
    lines = [line[3:]]
    while not lines[-1].rstrip().endswith('"""'):
        lines.append(input(". "))
    lines[-1] = lines[-1].rstrip().removesuffix('"""')
    return "\n".join(lines).strip("\n")


def _remember_lines():
    """Line editing with a history kept between sessions, where Python has readline; returns what saves it."""
    try:
        import readline
    except ImportError:
        return None
    from phiforge.store.home import home_dir

    file = home_dir() / "chat_history"
    with suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(1000)

    def save() -> None:
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(file)
            file.chmod(0o600)

    return save
