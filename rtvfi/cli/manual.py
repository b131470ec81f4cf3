"""The texts of ``--help`` around the options: what a command does, and examples.

``tests/test_docs.py`` runs the examples, or at least parses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rtvfi.core.program import command_line


@dataclass(frozen=True, slots=True)
class Page:
    """The help text of one command."""

    description: str
    """What the command does; lines are broken by hand."""
    examples: tuple[tuple[str, str], ...]
    """Command lines without ``rtvfi``, each with an explanation."""

    def epilog(self) -> str:
        """The examples, formatted for the end of the help."""
        lines = [f"  {command_line(line)}\n      {meaning}" for line, meaning in self.examples]
        return "\n".join(["examples:", *lines])


GENERAL: Final = Page(
    """\
Smooth motion for anime: plays films in mpv and interpolates frames with a neural
network in real time, or writes interpolated files.

rtvfi COMMAND --help explains one command. In a checkout, ./run COMMAND runs it
in the checkout's own environment.""",
    (
        ("play film.mkv", "watch a film"),
        ("render film.mkv -o smooth.mkv", "write it to a file, with sound and subtitles"),
        ("doctor", "check whether anything is missing on this machine"),
    ),
)

PAGES: Final = {
    "play": Page(
        """\
Plays files, folders and URLs in mpv, whose keys, subtitles, settings and scripts
work as usual. Ctrl+i switches interpolation off and on, Ctrl+y cycles through the
styles, Ctrl+o shows statistics.

Some input cannot be interpolated and plays unchanged, with the reason printed:
standard input, films assembled from several files, servers that cannot seek.""",
        (
            ("play film.mkv", "watch a film; without a file, the demo"),
            ("play season1/ --mpv fs", "all films of a folder, in full screen"),
            (
                "play film.mkv --style plain --fps 60",
                "keep all frames of the film and add new ones between them",
            ),
            (
                "play film.mkv --start 12:30 --sub-file film.de.ass",
                "start at 12:30, with subtitles from a file",
            ),
            ("play film.mkv --mpv save-position-on-quit", "resume at this position next time"),
            ("play film.mkv --record smooth.mkv", "record what is watched"),
            (
                "play film.mkv --record smooth.mkv --record-complete",
                "after playback, also render the parts that were skipped",
            ),
            ("play film.mkv --log-file rtvfi.log", "write a log file to attach to a bug report"),
        ),
    ),
    "render": Page(
        """\
Writes files with new frames between the film's own, and the sound, subtitles,
fonts and chapters of the source. Run the same command again to continue an
interrupted rendering. See docs/render.md.""",
        (
            ("render film.mkv", "write a file beside it, with the frame rate in its name"),
            ("render film.mkv -o smooth.mp4 --multi 2", "twice the frame rate, in an MP4 file"),
            ("render film.mkv -o part.mkv --start 1:30 --end 2:00", "only this part"),
            ("render shots/ --in-fps 24 -o film.mkv", "a film from numbered pictures"),
            (
                "render phone.mp4 --vfr keep --multi 2",
                "keep the film's uneven frame times and add a frame between each two",
            ),
            ("render film.mkv --encoder libx265 --crf 20", "a smaller file, slower to encode"),
        ),
    ),
    "worker": Page(
        """\
Renders segments of films for another machine, which runs "render --on". Both
connect to a Dask scheduler, started with: dask scheduler. See docs/cluster.md.""",
        (("worker 192.168.1.5:8786", "take work from the scheduler at this address"),),
    ),
    "join": Page(
        """\
Repairs a recording that was interrupted by a crash or a power failure: joins the
pieces that were written into one file, or several if the viewer skipped parts.
Nothing is encoded again.""",
        (("join smooth.mkv", "after play --record smooth.mkv"),),
    ),
    "info": Page(
        """\
Analyses every frame of a film and prints its size and frame rate, its scene
cuts, and how each scene is animated: on ones, twos or threes.""",
        (
            ("info film.mkv", "print a table"),
            ("info film.mkv --json", "print the same as JSON"),
        ),
    ),
    "models": Page(
        """\
Lists the networks and whether their weights are on this machine. A GMAC is 10^9
multiply-adds; the column counts those of one new 1920x1080 frame.""",
        (
            ("models", "list all models"),
            ("models --json", "print the same as JSON"),
        ),
    ),
    "eval": Page(
        """\
Measures the picture quality of models: on triplets of frames, on a film (every
second frame is left out and interpolated), or on generated scenes.""",
        (
            ("eval scenes --models linear,cel", "measure on generated scenes"),
            ("eval film.mkv --sheet worst.png", "measure on a film and show its worst frame"),
        ),
    ),
    "doctor": Page(
        """\
Checks everything that playback needs. If something is missing or slow, it says what
to do about it.""",
        (
            ("doctor", "print one line per check"),
            ("doctor --json", "print the same as JSON"),
        ),
    ),
    "bench": Page(
        """\
Measures this machine: the time per new frame for each model and size, and how
fast films are decoded and encoded. It takes at most five minutes.""",
        (
            ("bench --quick", "print a table within a minute"),
            ("bench --save", "measure, and save the best settings for play"),
        ),
    ),
    "selftest": Page(
        """\
Runs the operations that networks need on the GPU and compares the results with those
of the CPU: in half precision, in float32, and in both without MIOpen or cuDNN. play
and render use the first form whose results are correct. They run this test themselves
before they use a GPU for the first time; this command runs it again.""",
        (
            ("selftest", "test the GPU that --device auto selects"),
            ("selftest --known", "show the last result"),
        ),
    ),
    "warmup": Page(
        """\
Compiles and caches what a model needs for a film size, so that interpolation starts
immediately. Otherwise the first film of a new size starts without new frames.""",
        (
            ("warmup", "prepare for 1920x1080 films"),
            ("warmup --size 720p --model rife-4.25", "prepare for another size and model"),
        ),
    ),
    "train": Page(
        """\
Trains the embedded network on generated pictures. It can be stopped at any time;
run the same command again to continue. See docs/training.md.""",
        (
            ("train --out run/", "start training, or continue it"),
            ("train --sheet scenes.png", "look at the training pictures"),
        ),
    ),
    "completions": Page(
        """\
Prints a script that makes a shell complete the commands and options of rtvfi and
./run. In a checkout, for the current shell only: source <(./run completions bash)""",
        (
            ("completions bash > ~/.local/share/bash-completion/completions/rtvfi", "for bash"),
            ("completions zsh > ~/.zfunc/_rtvfi", "for zsh, with ~/.zfunc in its fpath"),
            ("completions fish > ~/.config/fish/completions/rtvfi.fish", "for fish"),
        ),
    ),
    "desktop": Page(
        """\
Adds rtvfi to the desktop's menu and to the programs that can open video files,
for this user only. Without an option it prints the desktop entry.""",
        (
            ("desktop --install", "install the entry"),
            ("desktop --remove", "remove the entry"),
        ),
    ),
    "mpv": Page(
        """\
Adds smooth motion to your own mpv, and to players based on it. It installs a script
and a commented settings file in mpv's folder; from then on mpv interpolates every
film. The keys are the same as in play. See docs/any-mpv.md.""",
        (
            ("mpv --install", "install or update the script in mpv's folder"),
            ("mpv --uninstall", "remove it"),
            ("mpv --install --dir ~/.config/celluloid", "install it for another player"),
        ),
    ),
    "serve": Page(
        """\
Interpolates for a player in another process. That player starts and stops this
command; you do not need to run it yourself. See docs/protocol.md, and
docs/any-mpv.md for mpv.""",
        (
            ("serve --control auto", "print the path of a socket, then answer requests there"),
            (
                "serve --mpv-socket /run/user/1000/mpv.sock --script-version 1",
                "serve the mpv that listens there and runs the script of rtvfi mpv",
            ),
        ),
    ),
    "image": Page(
        """\
Interpolates between two or three still pictures. Their times are 0, 1 and, if there
is a third, 2.""",
        (
            ("image a.png b.png -o between.png", "the picture half way between them"),
            ("image a.png b.png -o move.gif --gif --count 7", "an animation with 7 new pictures"),
            (
                "image a.png b.png -o slow.gif --gif --num 1 1 1",
                "three rounds, each of which adds a picture between every two",
            ),
        ),
    ),
    "retime": Page(
        """\
Interpolates between two pictures while every object moves at its own pace. A mask
marks an object's pixels in the first picture in white; its curve gives the distance
the object has covered at each time. Everything outside the masks moves evenly.""",
        (
            (
                'retime a.png b.png --mask ball.png --curve "0,0 0.3,0.8 1,1" -o move.gif',
                "the ball starts fast and slows down",
            ),
        ),
    ),
    "studio": Page(
        """\
Opens a page in your browser, reachable from this machine only. There you pick two
frames of a film or two pictures, draw or cut out objects, edit the curve that each
one follows, preview the result, and save it as GIF, WebP, MP4 or PNGs. Closing the
page ends the command.

It needs two small packages: pip install "rtvfi[studio]". Objects in a box are found by
GrabCut, or by Segment Anything with --sam CHECKPOINT; docs/studio.md says where to get
its package and weights, which rtvfi does not fetch.""",
        (
            (
                "studio film.mkv --at 1:23",
                "start with this frame and the next one; you can pick others",
            ),
            ("studio a.png b.png", "start with two pictures"),
        ),
    ),
    "weights": Page(
        """\
Downloads, adds and checks network weights. Nothing is downloaded unless you ask
for it; every download is checked against its published hash.""",
        (
            ("weights list", "list all known weights and whether they are on this machine"),
            ("weights get rife-4.25", "download the weights of a model"),
            ("weights add flownet.pkl --as rife-4.25", "add a file that you already have"),
            ("weights verify", "check all stored weights against their hashes"),
        ),
    ),
    "config": Page(
        """\
Prints the settings in effect and where each comes from: the defaults, the preset,
your own file, or the command line. The first line names your own file. It has the
same format and needs to contain only the settings that you change.""",
        (
            ("config", "print the current settings"),
            ("config --preset quality", "print the settings with another preset"),
        ),
    ),
    "version": Page(
        "Prints the versions of rtvfi and of the libraries it uses.",
        (("version", "print the versions to include in a bug report"),),
    ),
}
