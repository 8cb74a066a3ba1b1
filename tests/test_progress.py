"""Progress on a terminal, in a log, in silence, and after Ctrl-C."""

import io

import pytest
from pocketrec_export.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_at_each_end_and_every_ten_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream=stream, clock=clock)
    with progress.stage("encoding", total=40) as tick:
        for _ in range(4):
            clock.now += 6
            tick(10)
    progress.say("done")
    assert (
        stream.getvalue()
        == "encoding ...\nencoding ...  50% 12.0 s\nencoding ... 100% 24.0 s\nencoding: 24.0 s\ndone\n"
    )


def test_a_terminal_gets_one_line_that_changes() -> None:
    stream, clock = Terminal(), Clock()
    with Progress(stream=stream, clock=clock).stage("fitting") as tick:
        tick(3)  # too soon to show
        clock.now = 0.5
        tick(4)
    start = "\r\x1b[K"
    assert stream.getvalue() == f"{start}fitting ... 0.0 s{start}fitting ... 7 0.5 s{start}fitting: 0.5 s\n"


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()])
def test_ctrl_c_leaves_a_clean_line(stream: io.StringIO) -> None:
    progress = Progress(stream=stream, clock=Clock())
    with pytest.raises(KeyboardInterrupt), progress.stage("fitting"):
        raise KeyboardInterrupt
    assert stream.getvalue().endswith("fitting: stopped after 0.0 s\n")
    progress.say("next")
    assert stream.getvalue().endswith("\nnext\n")


def test_quiet_says_nothing_and_a_closed_stream_does_no_harm() -> None:
    stream = io.StringIO()
    with Progress(stream=stream, quiet=True).stage("x", total=1) as tick:
        tick(1)
    assert stream.getvalue() == ""
    progress = Progress(stream=stream)
    stream.close()
    with progress.stage("x") as tick:
        tick(1)
