"""Every command's flags, read in this process; what is said of those that cannot be used."""

import sys
from functools import partial
from pathlib import Path

import pytest
from absl import flags

from tcam_jax.commands import command_line
from tests.commands.alone import load_alone
from tests.launch.conftest import ROOT

COMMANDS = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix()
    for folder in ("tcam_jax/commands", "launch")
    for path in (ROOT / folder).glob("*.py")
    if "DEFINE_" in path.read_text() or "define_path(" in path.read_text()
    if path.stem not in ("command_line", "config_flag")
)
NO_PATHS = {
    "class",
    "dataset_config",
    "encoder",
    "host",
    "shard",
    "template",
}  # flags of text that are no paths


@pytest.fixture
def command(monkeypatch):
    return partial(load_alone, monkeypatch)


@pytest.fixture
def told(command, monkeypatch, capsys):
    """Return a function: what a command says that refuses its flags, or its help."""

    def run(name: str, *arguments: str, status: int | None = 2) -> str:
        module, values = command(f"tcam_jax/commands/{name}")
        monkeypatch.setattr(flags, "FLAGS", values)
        monkeypatch.setattr(sys, "argv", [f"tcam {name}", *arguments])
        monkeypatch.delitem(sys.modules, "config_config", raising=False)  # another test's file
        parse = lambda _, flags_parser: flags_parser(sys.argv)  # noqa: E731
        monkeypatch.setattr(command_line.app, "run", parse)
        monkeypatch.setattr(command_line, "keep_streams", lambda: None)
        if status is None:
            module.run()
        else:
            with pytest.raises(SystemExit) as ended:
                module.run()
            assert ended.value.code == status
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return said.err if status else said.out

    return run


def test_there_are_commands():
    assert {"tcam_jax/commands/train", "launch/benchmark"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_home_may_stand_in_every_flag_that_is_a_path(command, monkeypatch, name):
    monkeypatch.setenv("HOME", "/home/me")
    _, values = command(name)
    assert len(values) > 1
    for flag in map(values.__getitem__, values):
        if flag.name in NO_PATHS:
            continue
        if type(flag.parser) is flags.ArgumentParser:
            pytest.fail(
                f"--{flag.name}: a path is defined by command_line.define_path; else add it"
            )
        if isinstance(flag.parser, command_line.PathParser):
            flag.parse("~/x y")
            assert flag.value in ("/home/me/x y", ["/home/me/x y"]), flag.name


def test_the_home_in_the_config_and_its_fields(command, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.py").write_text((ROOT / "configs/demo.py").read_text())
    module, values = command("tcam_jax/commands/train")
    fields = ("dataset.data_dir", "dataset.manual_dir", "tcam.seed_dir", "model.pretrained")
    given = [f"--config.{field}=~/{field}" for field in fields]
    argv = ["tcam train", "--config=~/mine.py:resnet50", *given, "--workdir=~/run"]
    monkeypatch.setattr(flags, "FLAGS", values)
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(command_line, "keep_streams", lambda: None)
    monkeypatch.setattr(command_line.app, "run", lambda _, flags_parser: flags_parser(sys.argv))
    module.run()
    assert values.workdir == str(tmp_path / "run") and values.config.model.encoder == "resnet50"
    for field in fields:
        section, name = field.split(".")
        assert values.config[section][name] == str(tmp_path / field)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("train", [], "tcam train needs --config= (experiment, such as configs/demo.py). `tcam tr"),
        ("evaluate", [], "tcam evaluate needs --workdir= (folder of a trained run). `tcam eva"),
        ("export_model", [], "needs --workdir= (folder of a trained run), --output= (new folder)."),
        (
            "train",
            ["--config.model.encoder=vgg16"],
            "--config.model.encoder=vgg16 changes a field of --config=FILE, which must be given",
        ),
        ("train", ["--config.seed=3", "--config=configs/demo.py"], "seed=3 .* must come after it"),
        (
            "train",
            ["--config=configs/nothing.py"],
            "--config=configs/nothing.py must be a Python file .* configs/nothing.py is not there. "
            "There is configs/demo.py, .*configs/youtube_objects.py.",
        ),
        ("train", ["--config=nowhere/demo.py"], "is not there. There is configs/demo.py, "),
        ("train", ["--config=configs"], "configs is a folder. There is configs/demo.py, "),
        ("train", ["--config=/dev/zero"], "/dev/zero is a device. There is configs/demo.py, "),
        ("train", ["--config="], "--config= must be .*; it is empty. There is none, see docs/"),
        ("train", ["--config"], "--config= must be .*; it is empty. There is none, see docs/"),
        ("train", ["configs/demo.py"], "given as --name=value; got 'configs/demo.py'"),
        ("train", ["--wrkdir=x"], "Unknown command line flag 'wrkdir'. Did you mean: workdir ?"),
        (
            "train",
            ["--config=configs/demo.py", "--config.model.encodr=vgg16"],
            "--config.model.encodr=vgg16: the config of configs/demo.py has no such field. Did you "
            'mean "encoder" instead of "encodr"? All fields: --help, docs/config.md.',
        ),
        ("train", ["--config=configs/demo.py:vgg"], "knows resnet18, resnet50, got 'vgg'"),
        *(
            ("train", ["--config=configs/demo.py", f"--config.{field}={value}"], expected)
            for field, value, expected in (
                ("seed", "x", "--config.seed=x must be a whole number."),
                ("tcam.steps", "", "--config.tcam.steps= must be a whole number."),
                ("tcam.seeds.motion", "x", "--config.tcam.seeds.motion=x must be a number."),
                ("tcam.losses.crf.final_weight", "x", "final_weight=x must be a number."),
                ("tcam.align_seeds", "yess", "align_seeds=yess must be true or false."),
            )
        ),
    ],
)
def test_what_is_missing_or_misspelt(told, name, arguments, expected):
    said = told(name, *arguments)
    assert said.startswith("error: ")
    for part in expected.split(".*"):
        assert part in said, said


FROM_DEFAULTS = "from tcam_jax.config.defaults import get_config as g\ndef get_config():\n  "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def get_config(", "fails in line 1: SyntaxError: '(' was never closed"),
        ("x = 1", "must define get_config(), which returns the experiment"),
        ("\nimport nothing_there", "fails in line 2: ModuleNotFoundError: No module named"),
        (f"{FROM_DEFAULTS}return 1 / 0", "fails in line 3: ZeroDivisionError: division by zero"),
        (f"{FROM_DEFAULTS}raise ValueError('odd')", "fails in line 3: ValueError: odd"),
        (f"{FROM_DEFAULTS}open('/no/such')", "cannot be read: [Errno 2] No such file"),
        (f"{FROM_DEFAULTS}g()", "returns must be a ConfigDict; it is of type NoneType"),
        (f"{FROM_DEFAULTS}return 3", "returns must be a ConfigDict; it is of type int"),
        (
            "from ml_collections import ConfigDict\nget_config = lambda: ConfigDict({'seed': 1})",
            "lacks checkpoint.every, .*: begin it with config = tcam_jax.config.defaults",
        ),
    ],
)
def test_a_config_file_that_cannot_be_used(told, tmp_path, text, expected):
    (tmp_path / "mine.py").write_text(text)
    said = told("train", f"--config={tmp_path / 'mine.py'}")
    assert said.startswith("error: ") and str(tmp_path / "mine.py") in said
    for part in expected.split(".*"):
        assert part in said, said


@pytest.mark.parametrize(
    "look",
    [
        lambda: Path("x" * 300).exists(),
        lambda: open(b"y/" * 3000),  # noqa: SIM115
        lambda: Path("/dev/null/x").iterdir().__next__(),
    ],
    ids=["name", "path", "no-folder"],
)
@pytest.mark.parametrize("several", [False, True])
def test_a_path_that_cannot_be_looked_at_is_one_line(capsys, monkeypatch, look, several):
    monkeypatch.setattr(command_line.os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as ended:
        command_line._reporting(look, lambda: several)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(("error: xxx", "error: y/y/", "error: /dev/null/x cannot be read or"))
    assert said.count("\n") == 1 and "run the same command again" in said


def test_an_error_that_names_no_file_is_our_own():
    def fail():
        raise OSError("some")

    with pytest.raises(OSError, match="some"):
        command_line._reporting(fail, lambda: False)


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull", "--helpshort"])
def test_help_has_every_field_of_the_config(told, flag):
    text = told("train", flag, status=None)
    assert "Train both stages" in text and "--workdir" in text
    for field in ("encoder='resnet50'", "cam_methods=('cam', 'layercam')", "tcam.window: "):
        assert field in text
    assert "encoder='resnet50'" not in told("export_model", flag, status=None)


def test_advice_has_the_commands_own_config():
    advice = "run `tcam prepare --config=… --data_dir=x`"
    argv = ["tcam train", "--config=configs/video_folder.py:my cats", "--config.seed=1"]
    argv += ["--config.dataset.data_dir=x", "--config.dataset.resize=96"]
    assert command_line.config_flag.in_full(advice, argv) == (
        "run `tcam prepare '--config=configs/video_folder.py:my cats' "
        "--config.dataset.resize=96 --data_dir=x`"
    )
    assert command_line.config_flag.in_full(advice, ["tcam evaluate", "--workdir=x"]) == advice
