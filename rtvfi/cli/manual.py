"""What ``--help`` says beside the options: what a command is for, and examples of it.

``tests/test_docs.py`` runs the examples, or at least reads them with the real grammar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rtvfi.core.program import command_line


@dataclass(frozen=True, slots=True)
class Page:
    """The manual of one command."""

    description: str
    """Sentences; lines are broken by hand."""
    examples: tuple[tuple[str, str], ...]
    """Command lines without ``rtvfi``, and what each does."""

    def epilog(self) -> str:
        """The examples as a block at the end of the help."""
        lines = [f"  {command_line(line)}\n      {meaning}" for line, meaning in self.examples]
        return "\n".join(["examples:", *lines])


GENERAL: Final = Page(
    """\
Smooth motion for anime: plays films in mpv with frames interpolated by a neural
network while the film runs, or writes interpolated files.

rtvfi COMMAND --help explains one command. In a checkout, ./run COMMAND runs it
in the checkout's own environment.""",
    (
        ("play film.mkv", "watch a film"),
        ("render film.mkv -o smooth.mkv", "write it to a file, with sound and subtitles"),
        ("doctor", "check what is missing on this machine"),
    ),
)

PAGES: Final = {
    "play": Page(
        """\
Plays files, folders and addresses in mpv, whose keys, subtitles, settings and
scripts work as always. Ctrl+i switches the new frames off and on, Ctrl+y goes
through the styles, Ctrl+o shows statistics.

Some input cannot be interpolated and plays unchanged, with the reason printed:
standard input, films assembled from several files, servers that cannot seek.""",
        (
            ("play film.mkv", "watch a film; without a file, the demo"),
            ("play season1/ --mpv fs", "all films of a folder, in full screen"),
            (
                "play film.mkv --style plain --fps 60",
                "keep all frames of the film, add new ones between",
            ),
            (
                "play film.mkv --start 12:30 --sub-file film.de.ass",
                "start at 12:30, with subtitles from a file",
            ),
            ("play film.mkv --mpv save-position-on-quit", "resume at this position next time"),
            ("play film.mkv --record smooth.mkv", "record what is watched"),
            (
                "play film.mkv --record smooth.mkv --record-complete",
                "also render the parts that were skipped, after playback",
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
            ("render film.mkv", "write a file beside it, named for its frame rate"),
            ("render film.mkv -o smooth.mp4 --multi 2", "twice the frame rate, in an MP4 file"),
            ("render film.mkv -o part.mkv --start 1:30 --end 2:00", "only this part"),
            ("render shots/ --in-fps 24 -o film.mkv", "a film from numbered pictures"),
            (
                "render phone.mp4 --vfr keep --multi 2",
                "keep the film's uneven frame times, and add one between each two",
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
pieces it left into the file, or into several where the viewer skipped parts.
Nothing is encoded again.""",
        (("join smooth.mkv", "after play --record smooth.mkv"),),
    ),
    "info": Page(
        """\
Analyses every frame of a film and prints its size and frame rate, its scene
cuts, and how each scene is animated: on ones, twos or threes.""",
        (
            ("info film.mkv", "a table"),
            ("info film.mkv --json", "the same as JSON"),
        ),
    ),
    "models": Page(
        """\
Lists the networks and whether their weights are on this machine. A GMAC is 10^9
multiply-adds; the column counts those of one new 1920x1080 frame.""",
        (
            ("models", "list all models"),
            ("models --json", "the same as JSON"),
        ),
    ),
    "eval": Page(
        """\
Measures the picture quality of models: on triplets of frames, on a film (every
second frame is left out and interpolated), or on generated scenes.""",
        (
            ("eval scenes --models linear,cel", "generated scenes, whose true frames are known"),
            ("eval film.mkv --sheet worst.png", "a film, and a picture of its worst frame"),
        ),
    ),
    "doctor": Page(
        """\
Checks everything that playback needs and says what to do about what is missing
or slow.""",
        (
            ("doctor", "one line per check"),
            ("doctor --json", "the same as JSON"),
        ),
    ),
    "bench": Page(
        """\
Measures this machine: the time per new frame for each model and size, and how
fast films are decoded and encoded. It takes at most five minutes.""",
        (
            ("bench --quick", "a table within a minute"),
            ("bench --save", "measure, and let play use the best settings"),
        ),
    ),
    "selftest": Page(
        """\
Runs the operations that networks need on the GPU and compares the results with the
processor's: in half precision, in float32, and in both without MIOpen or cuDNN. play
and render use the first form whose results are right. They run this test themselves
before they first use a GPU; this command runs it again.""",
        (
            ("selftest", "test the GPU that auto takes"),
            ("selftest --known", "show the last result"),
        ),
    ),
    "warmup": Page(
        """\
Compiles and caches what a model needs for a film size, so that playback is
interpolated at once. Otherwise the first film of a new size starts without new
frames.""",
        (
            ("warmup", "prepare for 1920x1080 films"),
            ("warmup --size 720p --model rife-4.25", "prepare for another size and model"),
        ),
    ),
    "train": Page(
        """\
Trains the embedded network on generated pictures. It can be stopped at any
time; the same command continues. See docs/training.md.""",
        (
            ("train --out run/", "start training, or continue it"),
            ("train --sheet scenes.png", "look at the training pictures"),
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
Adds rtvfi to the desktop's menu and to the programs that can open video files,
for this user only. Without an option it prints the desktop entry.""",
        (
            ("desktop --install", "install the entry"),
            ("desktop --remove", "remove the entry"),
        ),
    ),
    "mpv": Page(
        """\
Adds smooth motion to your own mpv, and to players that use it: one script and its
commented settings go into mpv's folder, and whatever mpv opens from then on is
smooth. Keys are those of play. See docs/any-mpv.md.""",
        (
            ("mpv --install", "put the script into mpv's folder, or bring it up to date"),
            ("mpv --uninstall", "take it out"),
            ("mpv --install --dir ~/.config/celluloid", "into the folder of another player"),
        ),
    ),
    "serve": Page(
        """\
Makes pictures for a player in another process. That player starts and ends it; it
is not meant to be typed. See docs/protocol.md, and docs/any-mpv.md for mpv.""",
        (
            ("serve --control auto", "print the address to connect to, then answer requests"),
            (
                "serve --mpv-socket /run/user/1000/mpv.sock --script-version 1",
                "for the mpv that listens there, with the script of rtvfi mpv",
            ),
        ),
    ),
    "image": Page(
        """\
Makes pictures between two or three still pictures. Times count the pictures
given: 0 is the first, 1 the second, 2 the third.""",
        (
            ("image a.png b.png -o between.png", "the picture in the middle"),
            ("image a.png b.png -o move.gif --gif --count 7", "an animation, seven new pictures"),
            (
                "image a.png b.png -o slow.gif --gif --num 1 1 1",
                "three rounds, each adds a picture between every two",
            ),
        ),
    ),
    "retime": Page(
        """\
Makes pictures between two in which every object moves at a pace of its own. A
mask has an object's pixels in the first picture white; its curve says how far the
object is at which time. Whatever no mask covers moves evenly.""",
        (
            (
                'retime a.png b.png --mask ball.png --curve "0,0 0.3,0.8 1,1" -o move.gif',
                "the ball hurries at first",
            ),
        ),
    ),
    "studio": Page(
        """\
Opens a page in your browser, for this machine alone: pick two frames of a film or
two pictures, draw or cut out objects, bend the curve each of them follows, look at
the result, and save it as GIF, WebP, MP4 or PNGs. Closing the page ends the command.

It needs two small packages: pip install "rtvfi[studio]". Objects in a box are found by
GrabCut, or by Segment Anything with --sam CHECKPOINT; docs/studio.md says where to get
its package and weights, which rtvfi does not fetch.""",
        (
            (
                "studio film.mkv --at 1:23",
                "a frame of a film and the next one; others can be picked",
            ),
            ("studio a.png b.png", "two pictures"),
        ),
    ),
    "weights": Page(
        """\
Downloads, adds and checks network weights. Nothing is downloaded unless you ask
for it; every download is checked against its published hash.""",
        (
            ("weights list", "all known weights, and whether they are on this machine"),
            ("weights get rife-4.25", "fetch the weights of a model"),
            ("weights add flownet.pkl --as rife-4.25", "add a file that you have"),
            ("weights verify", "check all stored weights against their hashes"),
        ),
    ),
    "config": Page(
        """\
Prints the settings in force and where each comes from: the defaults, the preset,
your own file, or the command line. The first line names your own file; its lines
look like those printed here, and only settings you change need to be in it.""",
        (
            ("config", "the settings in force now"),
            ("config --preset quality", "the settings that another preset gives"),
        ),
    ),
    "version": Page(
        "Prints the versions of rtvfi and of the libraries it uses.",
        (("version", "versions to include in a bug report"),),
    ),
}
