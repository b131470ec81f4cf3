"""What ``--help`` says beside the options: what a command is for, and examples of it.

``tests/test_docs.py`` runs the examples, or at least reads them with the real grammar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rtvfi.core.program import typed


@dataclass(frozen=True, slots=True)
class Page:
    """The manual of one command."""

    description: str
    """Sentences; lines are broken by hand."""
    examples: tuple[tuple[str, str], ...]
    """Command lines without ``rtvfi``, and what each does."""

    def epilog(self) -> str:
        """The examples as a block at the end of the help."""
        lines = [f"  {typed(line)}\n      {meaning}" for line, meaning in self.examples]
        return "\n".join(["examples:", *lines])


GENERAL: Final = Page(
    """\
Smooth motion for anime: plays films in mpv with new frames between their own,
made by a neural network while the film runs, or writes such films.

rtvfi COMMAND --help tells about one command. In a checkout, ./run COMMAND does
the same in the environment that belongs to it.""",
    (
        ("play film.mkv", "watch a film"),
        ("render film.mkv -o smooth.mkv", "write it to a file, with sound and subtitles"),
        ("doctor", "look for what is missing on this machine"),
    ),
)

PAGES: Final = {
    "play": Page(
        """\
Plays files, folders and addresses in mpv, whose keys, subtitles, settings and
scripts work as always. Ctrl+i switches the new frames off and on, Ctrl+y goes
through the styles, Ctrl+o shows statistics.

What cannot be made smooth plays as it is, and the reason is said: standard
input, films put together from parts, servers that allow no seeking.""",
        (
            ("play film.mkv", "watch a film; without a file, the demo"),
            ("play season1/ --mpv fs", "all films of a folder, in full screen"),
            ("play film.mkv --style plain --fps 60", "new frames only between the film's own"),
            ("play film.mkv --start 12:30 --sub-file film.de.ass", "from there, with subtitles"),
            ("play film.mkv --mpv save-position-on-quit", "go on here the next time"),
            ("play film.mkv --record smooth.mkv", "write down what is watched"),
            (
                "play film.mkv --record smooth.mkv --record-complete",
                "and render what was skipped, afterwards",
            ),
            ("play film.mkv --log-file rtvfi.log", "what to send when something is wrong"),
        ),
    ),
    "render": Page(
        """\
Writes files whose every new frame is made by the network, with sound, subtitles,
fonts and chapters of the source. What was interrupted goes on where it was when
the same command is given again. See docs/render.md.""",
        (
            ("render film.mkv", "film-59.94fps.mkv beside it, as for a display of 60 Hz"),
            ("render film.mkv -o smooth.mp4 --multi 2", "twice the frames, another container"),
            ("render film.mkv -o part.mkv --start 1:30 --end 2:00", "a part of it"),
            ("render shots/ --in-fps 24 -o film.mkv", "numbered pictures are a film"),
            ("render phone.mp4 --vfr keep --multi 2", "its own uneven times, and others between"),
            ("render film.mkv --encoder libx265 --crf 20", "smaller, and slower to write"),
        ),
    ),
    "join": Page(
        """\
Puts together what a recording left that was killed or whose machine lost its
power: the file it was to become and, where something was skipped, its parts.
Nothing is encoded again.""",
        (("join smooth.mkv", "after play --record smooth.mkv"),),
    ),
    "info": Page(
        """\
Looks at every frame of a film and tells its size and rate, where its cuts are,
and how each scene is drawn: on ones, twos or threes.""",
        (
            ("info film.mkv", "a table"),
            ("info film.mkv --json", "the same for programs"),
        ),
    ),
    "models": Page(
        """\
Lists the networks and says whose weights are on this machine. GMAC are 10^9
multiply-adds for one new frame of 1920x1080.""",
        (
            ("models", "all of them"),
            ("models --json", "the same for programs"),
        ),
    ),
    "eval": Page(
        """\
Measures how near the pictures of models come to true ones: over triplets of
frames, a film whose every second frame is guessed, or scenes that are drawn.""",
        (
            ("eval scenes --models linear,cel", "drawn scenes, whose true pictures are known"),
            ("eval film.mkv --sheet worst.png", "a film, and a picture of where it went worst"),
        ),
    ),
    "doctor": Page(
        """\
Looks at everything that playing needs and says what to do about what is missing
or slow.""",
        (
            ("doctor", "a line for each thing"),
            ("doctor --json", "the same for programs"),
        ),
    ),
    "bench": Page(
        """\
Measures what this machine can do: how long a new frame takes with each model at
each size, how fast films are decoded and written. It ends in bounded time.""",
        (
            ("bench --quick", "a table within a minute"),
            ("bench --save", "and let play use what was found best"),
        ),
    ),
    "warmup": Page(
        """\
Prepares what a model needs for a size of films, so that they play smoothly at
once. Without it the first film of a new size shows its own frames for a while.""",
        (
            ("warmup", "for films of 1920x1080"),
            ("warmup --size 720p --model rife-4.25", "for another size and model"),
        ),
    ),
    "train": Page(
        """\
Trains the network that comes with rtvfi anew, on pictures that it draws itself.
It can be stopped at any time; the same command goes on. See docs/training.md.""",
        (
            ("train --out run/", "begin, or go on"),
            ("train --sheet scenes.png", "look at what it would learn from"),
        ),
    ),
    "completions": Page(
        """\
Prints a script that lets a shell complete the words of rtvfi, and of ./run.
In a checkout, for this shell alone: source <(./run completions bash)""",
        (
            ("completions bash > ~/.local/share/bash-completion/completions/rtvfi", "for bash"),
            ("completions zsh > ~/.zfunc/_rtvfi", "for zsh, with ~/.zfunc in its fpath"),
            ("completions fish > ~/.config/fish/completions/rtvfi.fish", "for fish"),
        ),
    ),
    "desktop": Page(
        """\
Puts rtvfi into the menu of the desktop, and among the programs that files of
films can be opened with; for this user only. Alone it prints the entry.""",
        (
            ("desktop --install", "put it there"),
            ("desktop --remove", "take it away"),
        ),
    ),
    "image": Page(
        """\
Makes pictures between two or three still pictures. Times count the pictures
given: 0 is the first, 1 the second, 2 the third.""",
        (
            ("image a.png b.png -o between.png", "the one in the middle"),
            ("image a.png b.png -o move.gif --gif --count 7", "an animation, seven new pictures"),
        ),
    ),
    "weights": Page(
        """\
Fetches, adds and checks the weights of networks. Nothing is fetched unless this
command is told to; what is fetched is compared with its published hash.""",
        (
            ("weights list", "what can be had, and what is here"),
            ("weights get rife-4.25", "fetch the weights of a model"),
            ("weights add flownet.pkl --as rife-4.25", "take in a file you have"),
            ("weights verify", "compare all that is here with what was stored"),
        ),
    ),
    "config": Page(
        """\
Prints the settings in force, each with its origin: a default, the preset, your
own file, or the command line. The first line names your own file; a line in it
looks as printed here, and only those that differ need be there.""",
        (
            ("config", "what counts now"),
            ("config --preset quality", "what another preset would give"),
        ),
    ),
    "version": Page(
        "Prints the versions of rtvfi and of what it rests on.",
        (("version", "for a report of a mistake"),),
    ),
}
