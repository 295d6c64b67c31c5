"""Changes a copy of the project as its documents say, and tests the copy.

python -m tests.make_it_yours               makes all changes, in six copies
python -m tests.make_it_yours --today       makes one change, another one each day, and runs only
                                            the style, the types, and the tests of pages
python -m tests.make_it_yours NAME ...      makes these changes, each in a copy of its own
python -m tests.make_it_yours --list        prints the names

After each change, `bin/test` must pass in the copy. Once app.py is no longer the starter's, nothing
is changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from tools.processes import Children
from tools.terminal import run

ROOT = Path(__file__).resolve().parent.parent
IGNORED = (".env", ".git", ".venv*", "instance", "node_modules", ".pytest_cache")
STARTER = 'product="Reading Room"'
FIRST_IMPORT = "from clever_login import"
FEATURES = 'FEATURES = ("dashboard", "reading")'
SENTENCE, OWN_SENTENCE = "You're in. Have fun!", "You are in. Read a book!"
SPANISH, OWN_SPANISH = "Ya entraste. ¡Diviértete!", "Ya entraste. ¡Lee un libro!"
# What CI runs after the change of a day, because all tests of the quick tier take minutes.
TESTS_OF_PAGES = ("tests/app", "tests/web", "tests/test_clever_login.py")
Change = Callable[[Path], None]


def rename_the_product(copy: Path) -> None:
    """Give the product another name."""
    replace(copy / "app.py", STARTER, 'product="Turtle Books"')


def change_a_sentence(copy: Path) -> None:
    """Change a sentence of a page, and its translation."""
    replace(copy / "templates/dashboard/student.html", SENTENCE, OWN_SENTENCE)
    catalog = copy / "translations/es/LC_MESSAGES/messages.po"
    replace(catalog, f'msgid "{SENTENCE}"', f'msgid "{OWN_SENTENCE}"')
    replace(catalog, f'msgstr "{SPANISH}"', f'msgstr "{OWN_SPANISH}"')


def offer_only_english(copy: Path) -> None:
    """Offer no other language than English, and delete the translations of the app."""
    replace(copy / "app.py", "    parts.Languages(),\n", '    parts.Languages(only=("en",)),\n')
    shutil.rmtree(copy / "translations/es")


def change_the_colors(copy: Path) -> None:
    """Set the design tokens that static/style.css shows in its comment."""
    style = copy / "static/style.css"
    tokens = re.findall(r"^ +(:root .*|@media .*)$", style.read_text(), re.M)
    assert len(tokens) == 2, tokens
    style.write_text("\n".join(tokens) + "\n")


def replace_a_template(copy: Path) -> None:
    """Change a copy of one of the library's templates."""
    name = "clever_login/logged_out.html"
    target = copy / "templates" / name
    target.parent.mkdir(exist_ok=True)
    shutil.copy(copy / "clever_login/templates" / name, target)
    text = target.read_text()
    end = text.rindex("{% endblock %}")
    target.write_text(f"{text[:end]}<p>See you soon.</p>\n{text[end:]}")


def add_the_first_page(copy: Path) -> None:
    """Add the page of docs/make-it-yours.md that only teachers can open."""
    view, features, _ = blocks(copy, "make-it-yours.md", "python")
    page, *_ = blocks(copy, "make-it-yours.md", "jinja")
    (copy / "books.py").write_text(view)
    (copy / "templates/books.html").write_text(page)
    replace(copy / "app.py", FEATURES, features.strip())


def add_the_blueprint(copy: Path) -> None:
    """Add the blueprint of docs/make-it-yours.md."""
    (copy / "books.py").write_text(blocks(copy, "make-it-yours.md", "python")[-1])
    replace(copy / "app.py", FEATURES, 'FEATURES = ("dashboard", "reading", "books")')


def add_the_form(copy: Path) -> None:
    """Add the form of docs/recipes.md."""
    recipes = copy / "examples/recipes"
    shutil.copy(recipes / "form.py", copy)
    shutil.copytree(recipes / "notes", copy / "notes")
    replace(copy / "app.py", FEATURES, 'FEATURES = ("dashboard", "reading", "form")')


def use_own_accounts(copy: Path) -> None:
    """Use the users table of docs/accounts.md."""
    examples = blocks(copy, "accounts.md", "python")
    (lines,) = [example for example in examples if "CleverLogin(" in example]
    (copy / "accounts.py").write_text(examples[-1])
    imported, call = lines.split("\n\n")
    remove_part(copy, "Accounts")
    replace(copy / "app.py", FIRST_IMPORT, f"{imported}\n{FIRST_IMPORT}")
    (arguments,) = re.findall(r"CleverLogin\((product=.*)\)\n", (copy / "app.py").read_text())
    changed = call.strip().replace("...", arguments.replace(", ", ",\n    "))
    replace(copy / "app.py", f"CleverLogin({arguments})", changed)


def add_own_tables(copy: Path) -> None:
    """Add the table of docs/library.md to the database."""
    (code,) = [
        example
        for example in blocks(copy, "library.md", "python")
        if "DATABASE = parts.Database(" in example
    ]
    (copy / "loans.py").write_text(code)
    replace(copy / "app.py", FIRST_IMPORT, f"import loans\n{FIRST_IMPORT}")
    replace(
        copy / "app.py", "    parts.Rosters(),\n", "    parts.Rosters(),\n    loans.DATABASE,\n"
    )


def remove_the_example(copy: Path) -> None:
    """Delete the example feature and its name in app.py."""
    shutil.rmtree(copy / "reading")
    app = copy / "app.py"
    app.write_text(
        re.sub(r"^FEATURES = .*", 'FEATURES = ("dashboard",)', app.read_text(), flags=re.M)
    )


def use_no_accounts(copy: Path) -> None:
    """Use neither accounts nor rosters, and so no database and no example feature."""
    remove_the_example(copy)
    remove_part(copy, "Accounts")
    remove_part(copy, "Rosters")
    (release,) = re.findall(r"^release:.*\n", (copy / "Procfile").read_text(), re.M)
    replace(copy / "Procfile", release, "")


def delete_the_simulator(copy: Path) -> None:
    """Delete the simulator."""
    shutil.rmtree(copy / "clever_simulator")


def name_of(change: Change) -> str:
    """Return the name of a change on the command line."""
    return change.__name__.replace("_", "-")


CHANGES: dict[str, Change] = {
    name_of(change): change
    for change in (
        rename_the_product,
        change_a_sentence,
        offer_only_english,
        change_the_colors,
        replace_a_template,
        add_the_first_page,
        add_the_blueprint,
        add_the_form,
        use_own_accounts,
        add_own_tables,
        remove_the_example,
        use_no_accounts,
        delete_the_simulator,
    )
}


# The copies of a run of all changes. A product is made of several changes, and a change that breaks
# a test breaks it beside others, too. Changes of one copy do not replace the same line.
COPIES: tuple[tuple[Change, ...], ...] = (
    (
        rename_the_product,
        change_a_sentence,
        change_the_colors,
        replace_a_template,
        add_the_first_page,
        add_own_tables,
    ),
    (offer_only_english, add_the_blueprint),
    (use_own_accounts, add_the_form),
    (remove_the_example,),
    (use_no_accounts,),
    (delete_the_simulator,),
)


def replace(file: Path, old: str, new: str) -> None:
    """Replace a text that is in a file exactly once."""
    text = file.read_text()
    assert text.count(old) == 1, f"{file.name} has {text.count(old)} times: {old}"
    file.write_text(text.replace(old, new))


def remove_part(copy: Path, name: str) -> None:
    """Delete a part from the list in app.py."""
    replace(copy / "app.py", f"    parts.{name}(),\n", "")


def blocks(copy: Path, page: str, language: str) -> list[str]:
    """Return the code examples of a page in docs/."""
    text = (copy / "docs" / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def copy_project(parent: Path) -> Path:
    """Copy the whole project, and use this project's test environment in the copy."""
    copy = parent / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*IGNORED))
    (copy / ".venv-test").symlink_to((ROOT / ".venv-test").resolve())
    return copy


def change_of(day: date) -> str:
    """Return the name of the change for this day. All changes take turns."""
    return [*CHANGES][day.toordinal() % len(CHANGES)]


def passes(*changes: Change, tests: Sequence[str] = ()) -> bool:
    """Make changes in a copy and run `bin/test` there, with all tests or only these.

    Prints the output if it fails.
    """
    started = time.monotonic()
    names = ", ".join(map(name_of, changes))
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_project(Path(folder))
        for change in changes:
            change(copy)
        code, lines = run_bin_test(copy, *(["--", *tests] if tests else []))
    summary = "".join(lines[-1:]).strip()
    print(f"  {names}: {time.monotonic() - started:.0f} s, {summary}", flush=True)
    if code != 0:
        print("\n".join(lines), flush=True)
    return code == 0


def run_bin_test(copy: Path, *arguments: str) -> tuple[int | None, list[str]]:
    """Run `bin/test` in a copy, and return its exit code and the lines of its output.

    A signal that stops this script stops it, too, with everything that it started.
    """
    quick_tier = {name: value for name, value in os.environ.items() if name != "CI"}
    with Children(copy) as children:
        command = [sys.executable, "bin/test", *arguments]
        child = children.start("bin/test", command, quick_tier, subprocess.PIPE)
        lines = list(child.lines())
        return child.exit_code, lines


def main(*arguments: str) -> int:
    """Make the chosen changes. Returns 1 if the tests of a copy fail."""
    if arguments == ("--list",):
        print(*CHANGES, sep="\n")
        return 0
    if STARTER not in (ROOT / "app.py").read_text():
        print("  skipped: app.py is no longer the starter's")
        return 0
    if arguments == ("--today",):
        change = CHANGES[change_of(datetime.now(UTC).date())]
        return 0 if passes(change, tests=TESTS_OF_PAGES) else 1
    copies = tuple((CHANGES[name],) for name in arguments) or COPIES
    failed = [changes for changes in copies if not passes(*changes)]
    return 1 if failed else 0


if __name__ == "__main__":
    run(lambda: main(*sys.argv[1:]))
