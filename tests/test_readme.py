import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from gen.output.files import write_output
from gen.plan.command import plan_model
from sim.toolchain import environment, verilator_root
from tritweave import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TOP = """
module top(
    input clk, input rst, input pixels_valid, output pixels_ready, input [15:0] pixels,
    output logits_valid, input logits_ready, output [31:0] logits, output logits_last
);
{instance}
endmodule
"""


DOCUMENTS = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
SHELL = re.compile(r"```(\w*)\n(.*?)```|((?:^ {4}\S.*\n)+)", re.DOTALL | re.MULTILINE)
COMMANDS = sorted(
    {
        shlex.join(shlex.split(line, comments=True)[1:])
        for document in DOCUMENTS
        for language, fenced, indented in SHELL.findall((ROOT / document).read_text())
        if language in ("", "sh")
        for line in (fenced or indented).replace("\\\n", " ").splitlines()
        if re.match(r" *tritweave [a-z]", line)
    }
)


def example(language: str, text: str) -> str:
    """The README's example in which a text stands, as it goes in a checkout."""
    (found,) = (one for one in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if text in one)
    return found.replace("from tritweave.", "from ")


def test_the_device_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(example("python", "SimulatedDevice"), "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("Counters(frames=10, refused=0, lost=0, cycles=")


def test_the_verilog_example_is_an_instance_of_an_engine(tmp_path: Path) -> None:
    plan = plan_model("mnist-small", None, None, "portable", 2)
    write_output(plan, tmp_path)
    width = plan.config.result_width * plan.config.lanes
    top = TOP.replace("[31:0]", f"[{width - 1}:0]").format(instance=example("verilog", ".load_valid"))
    (tmp_path / "top.v").write_text(top)
    files = [str(tmp_path / name) for name in ("tritweave.vlt", "top.v", "tritweave.v")]
    lint = ["--lint-only", "-Wall", "-Wno-DECLFILENAME", "-Wno-PINCONNECTEMPTY", "--top-module", "top"]
    done = subprocess.run(
        [verilator_root() / "bin" / "verilator_bin", *lint, *files], env=environment(), text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    text, folder = (ROOT / document).read_text(), (ROOT / document).parent
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in link]
    # In the other documents, files stand in code.
    links += re.findall(r"`((?:\.\./)?(?:boards|docs|gen|golden|rtl|sim|tb|tests)/[\w/.-]+)`", text)
    assert links
    assert [link for link in links if not (folder / link).exists() and not (ROOT / link).exists()] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_a_document_shows_is_understood(command: str) -> None:
    arguments, found = shlex.split(command), get_command(app)
    while commands := getattr(found, "commands", None):
        name, *arguments = arguments
        assert name in commands
        found = commands[name]
    found.make_context("tritweave", arguments)
