"""What the pages say is there: their links lead somewhere, and the house's page knows every module and library."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from wyoming_voice.engines.table import TABLE

from .conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("addon/*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """Spell a heading as GitHub's links to it do."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(without_code(page.read_text("utf-8"))):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, place = link.partition("#")
        target = (page.parent / name) if name else page
        assert target.exists(), f"{page.name} links to {link}"
        if place:
            headings = _HEADING.findall(without_code(target.read_text("utf-8")))
            assert place in map(anchor, headings), f"{page.name} links to {link}"


def test_the_readme_stays_short_and_names_every_engine() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) <= 200
    russian = (ROOT / "README.ru.md").read_text("utf-8")
    for spec in TABLE:
        name = {"silero-stress": "silero-stress"}.get(spec.name, spec.description)
        assert f"\n| {name}" in readme
        assert f"\n| {name}" in russian


def test_every_module_has_its_line_on_the_page_of_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = page.partition("## Who knows what")[2].partition("\n## ")[0]
    named = {name for row in re.findall(r"^\|([^|]+)\|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}
    modules = {path.name for path in (ROOT / "wyoming_voice").glob("*.py") if not path.name.startswith("__")}
    assert {module for module in modules if not any(fnmatch(module, name) for name in named)} == set()
    gone = {name for name in named if name.endswith(".py") and not any(fnmatch(module, name) for module in modules)}
    assert gone == set()


def test_every_library_of_the_server_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("## Why each library is there")[2]
    for requirement in project["dependencies"]:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        assert f"`{name}`" in page, f"{name} has no line in docs/architecture.md"
