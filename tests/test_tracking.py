"""Figures of a build in a tracker's own files, read back with the tracker's own reader."""

from __future__ import annotations

import pytest
from pocketrec.errors import UsageError
from pocketrec_export.tracking import figures, track

try:
    import wandb
except ModuleNotFoundError:
    wandb = None


@pytest.fixture(scope="module")
def report(built):
    return built[1].as_dict()


def test_figures_are_the_reports(report):
    value = {(name, step): number for name, number, step in figures(report)}
    assert value["bytes/package", 0] == report["bytes"]
    assert value["package/ndcg10", 0] == report["comparison"]["package"]["ndcg10"]
    assert len([name for name, _ in value if name.startswith("loss/")]) >= 3
    assert len([name for name, _ in value if name.startswith("trials/")]) == len(report["trials"])


@pytest.mark.filterwarnings("ignore")  # the tracker's own
def test_tensorboard_reads_them(report, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    track(report, tracker="tensorboard", folder=tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    seen = {(tag, point.step): point.value for tag in events.Tags()["scalars"] for point in events.Scalars(tag)}
    wanted = {(name, step): number for name, number, step in figures(report)}
    assert seen == pytest.approx(wanted, rel=1e-6)


@pytest.mark.skipif(wandb is None, reason="wandb is not installed: pip install 'pocketrec[track]'")
@pytest.mark.filterwarnings("ignore")
def test_wandb_stays_offline(report, tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    track(report, tracker="wandb", folder=tmp_path / "run")
    assert list((tmp_path / "run").rglob("offline-run-*/*.wandb"))


def test_an_unknown_tracker_is_refused(report, tmp_path):
    with pytest.raises(UsageError, match="tensorboard, wandb"):
        track(report, tracker="paper", folder=tmp_path)
