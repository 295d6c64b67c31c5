"""patches.py SRC DST OUTDIR: rewrite tests/broken/*.patch of SRC for the moved tree DST (built and formatted)."""
import subprocess, sys, tempfile, shutil, re, difflib
from pathlib import Path
import build, move, tables
src, dst, outdir = map(Path, sys.argv[1:4])
outdir.mkdir(exist_ok=True)
RUFF = str((src / ".venv-test/bin/python").resolve())
files = [f for f in build.python_files(src) if f not in {"clever_login/api/__init__.py", "clever_login/checks/__init__.py", "tests/servers/__init__.py"}]
texts = {f: build.in_strings((src / f).read_text()) for f in files}
mods = {f: move.modname(f) for f in files}
move.ALLMODS.update(mods.values()); move.ALLMODS.update(tables.MODULES)
known = set(mods.values())
cache = {}
def t(f, text=None):
    if text is None:
        if f not in cache: cache[f] = move.transform(mods[f], texts[f], known)
        return cache[f]
    return move.transform(mods[f], text, known)
by_new = {}
for f in files: by_new.setdefault(move.new_path(f, mods[f]), []).append(f)
def fmt(text, path):
    for args in (["check", "-q", "--fix", "--select", "I,F811", "--stdin-filename", path, "-"], ["format", "-q", "--stdin-filename", path, "-"]):
        r = subprocess.run([RUFF, "-m", "ruff", *args], input=text, capture_output=True, text=True, cwd=dst)
        if r.stdout: text = r.stdout
    return text
bad = []
for patch in sorted((src / "tests/broken").glob("*.patch")):
    body = patch.read_text()
    head, _, diff = body.partition("\n\n")
    head = build.in_text(head)
    touched = re.findall(r"^\+\+\+ b/(\S+)", diff, re.M)
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        for f in re.findall(r"^(?:---|\+\+\+) [ab]/(\S+)", diff, re.M):
            if (src / f).exists():
                (tmp / f).parent.mkdir(parents=True, exist_ok=True); shutil.copy(src / f, tmp / f)
        subprocess.run(["git", "init", "-q"], cwd=tmp)
        r = subprocess.run(["git", "apply", "--whitespace=nowarn", "-C1", str(patch.resolve())], cwd=tmp, capture_output=True, text=True)
        if r.returncode:
            bad.append((patch.name, "does not apply to SRC")); continue
        out, news = [], {}
        for f in dict.fromkeys(touched):
            new_text = (tmp / f).read_text()
            if f in texts:
                np = move.new_path(f, mods[f])
                news.setdefault(np, {})[f] = build.in_strings(new_text)
            else:
                np = build.path_map(f)
                news[np] = build.in_text(new_text) if not f.startswith("bin/") else build.tools_text(build.in_text(new_text))
        try:
            for np, what in news.items():
                if isinstance(what, dict):
                    order = move.ORDER.get(np[:-3].replace("/", "."), [])
                    parts = [(mods[f], t(f, what.get(f))) for f in by_new[np]]
                    parts.sort(key=lambda x: order.index(x[0]) if x[0] in order else 0)
                    what = fmt(move.merge(np, parts), np)
                old = (dst / np).read_text()
                d = list(difflib.unified_diff(old.splitlines(True), what.splitlines(True), f"a/{np}", f"b/{np}"))
                if d: out += [f"diff --git a/{np} b/{np}\n"] + [x if x.endswith("\n") else x + "\n" for x in d]
        except Exception as e:
            bad.append((patch.name, repr(e)[:200])); continue
        n = sum(1 for x in out if x[:1] in "+-" and not x.startswith(("+++", "---")))
        n0 = sum(1 for x in diff.splitlines() if x[:1] in "+-" and not x.startswith(("+++", "---")))
        if not out or n > n0 + 8: bad.append((patch.name, f"changed lines {n0} -> {n}"))
        (outdir / patch.name).write_text(head + "\n\n" + "".join(out))
print(len(list(outdir.glob('*.patch'))), "written"); print(*bad, sep="\n")
