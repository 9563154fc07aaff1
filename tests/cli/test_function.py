"""What a verb's FUNCTION means: where it is found, and what text becomes before it gets it."""

from __future__ import annotations

import functools
import sys
import typing
from pathlib import Path

import pytest

from elsewhere.cli.ending import WrongUsage
from elsewhere.cli.function.convert import ASK, CONVERTERS, NUMBER, TEXT, conversion, reads_as_number
from elsewhere.cli.function.target import Target
from tests.cli import sample

HERE = "tests.cli.sample"


@pytest.fixture
def elsewhere_on_disk(tmp_path, monkeypatch):
    """A folder to write modules to, and everything as before afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


class TestTarget:
    def test_finds_a_function_in_a_module(self):
        target = Target.parse("math:sqrt")
        assert target.function()(9) == 3
        assert (target.label, target.identity) == ("math.sqrt", "math:sqrt")

    @pytest.mark.parametrize("name", ["Point.diagonal", "Point.made"])
    def test_finds_methods_by_dots(self, name):
        assert Target.parse(f"{HERE}:{name}").function()(2).x == 2

    def test_finds_a_file_that_imports_its_neighbour(self, elsewhere_on_disk):
        write(elsewhere_on_disk, "my/neighbour_one.py", "K = 3")
        write(elsewhere_on_disk, "my/job-one.py", "import neighbour_one\ndef f(n): return n * neighbour_one.K")
        target = Target.parse("my/job-one.py:f")
        assert target.function()(2) == 6
        assert target.label == "job-one.f"
        assert target.identity == f"{elsewhere_on_disk.resolve()}/my/job-one.py:f"
        assert Target.parse(str(elsewhere_on_disk / "my/job-one.py") + ":f").function() is target.function()

    def test_finds_a_module_of_the_current_folder(self, elsewhere_on_disk):
        write(elsewhere_on_disk, "package_here/inner.py", "def f(n): return n")
        assert Target.parse("package_here.inner:f").function()(1) == 1

    def test_what_an_import_prints_stays_off_stdout(self, elsewhere_on_disk, capsys):
        write(elsewhere_on_disk, "loud.py", "print('hello')\ndef f(n): return n")
        Target.parse("loud.py:f").function()
        assert capsys.readouterr() == ("", "hello\n")

    @pytest.mark.parametrize("text", ["math", ":f", "math:", "math:1", "a b:c d", "math:sqrt."])
    def test_refuses_what_is_no_function(self, text):
        with pytest.raises(WrongUsage, match=r"package\.module:name"):
            Target.parse(text)

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("maths:sqrt", "no module 'maths'"),
            ("math.inner:sqrt", r"no module 'math\.inner'"),
            ("math:sqr", "math has no 'sqr'. Did you mean 'sqrt'"),
            ("math:pi", "type float, which cannot be called"),
            ("no/such/file.py:f", r"no file no/such/file\.py"),
            (f"{HERE}:Point.nothing", "has no 'nothing'"),
        ],
    )
    def test_says_what_is_not_there(self, text, sentence):
        with pytest.raises(WrongUsage, match=sentence):
            Target.parse(text).function()

    @pytest.mark.parametrize(
        ("name", "text", "sentence"),
        [
            ("broken_a.py", "def f(:\n", r"cannot be imported: SyntaxError.*line 1"),
            ("broken_b.py", "1 / 0\n", r"cannot be imported: ZeroDivisionError.*broken_b\.py, line 1"),
            ("broken_c.py", "raise SystemExit(3)\n", "cannot be imported: SystemExit: 3"),
            ("broken_d.py", "import no_such_thing\n", "imports 'no_such_thing', which is not installed"),
            ("broken_e.py", "from . import x\n", r"package\.module:f instead"),
            ("json.py", "def f(x): return x\n", "name of another module, 'json'"),
            ("binary.py", "\0", "cannot be imported"),
        ],
    )
    def test_says_why_a_file_cannot_be_imported(self, elsewhere_on_disk, name, text, sentence):
        write(elsewhere_on_disk, name, text)
        with pytest.raises(WrongUsage, match=sentence):
            Target.parse(f"{name}:f" if "/" in name else f"./{name}:f").function()


class TestConversion:
    @pytest.mark.parametrize(
        ("name", "means"),
        [
            ("double", "int"),
            ("root", "float"),
            ("size", "path"),
            ("same", TEXT),
            ("either", "int"),
            ("kind", ASK),
            ("decimal", ASK),
            ("Point.made", "int"),
        ],
    )
    def test_follows_the_annotation(self, name, means):
        assert conversion(Target.parse(f"{HERE}:{name}").function(), name) == means

    @pytest.mark.parametrize(
        ("annotation", "means"),
        [
            (bool, "bool"),
            ("int | None", "int"),
            ("'int'", ASK),
            (int | float, NUMBER),
            (int | str, TEXT),
            (int | Path, ASK),
            (typing.Annotated[int, "positive"], "int"),
            (typing.NewType("Age", int), "int"),
            ("pathlib.Path", "path"),
            ("Path | None", "path"),
            ("Typo", ASK),
            (list[int], ASK),
            (typing.Any, ASK),
            (object, ASK),
        ],
    )
    def test_understands(self, annotation, means):
        def f(x):
            return x

        f.__annotations__["x"] = annotation
        assert conversion(f, "f") == means

    def test_sees_through_partials_and_wrappers(self):
        @functools.wraps(sample.double)
        def wrapped(*args):
            return sample.double(*args)

        assert conversion(wrapped, "f") == "int"
        assert conversion(functools.partial(sample.double), "f") == "int"

    def test_of_what_has_no_signature_is_asked(self):
        assert conversion(Target.parse("builtins:int").function(), "int") == ASK

    def test_refuses_what_one_argument_cannot_call(self):
        with pytest.raises(WrongUsage, match="pair also needs b"):
            conversion(sample.pair, "pair")
        with pytest.raises(WrongUsage, match="takes no argument"):
            conversion(sample.nothing, "nothing")

    def test_converts(self):
        assert CONVERTERS["bool"]("Yes") is True
        assert CONVERTERS["bool"]("0") is False
        with pytest.raises(ValueError, match="maybe"):
            CONVERTERS["bool"]("maybe")
        assert [CONVERTERS[NUMBER](text) for text in ("4", "4.5", "1e3", "x")] == [4, 4.5, 1000.0, "x"]
        assert reads_as_number("-4.5")
        assert not reads_as_number("a4")
        assert not reads_as_number(4)
