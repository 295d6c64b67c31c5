"""build.py SRC DST: the whole repository, moved."""
from __future__ import annotations
import io, re, shutil, subprocess, sys, tokenize
from pathlib import Path
import move
import tables
TESTS = tables.TESTS

DIRS = [  # non-python files and folders
    ("clever_login/school/migrations/", "clever_login/db/migrations/"),
    ("clever_login/school/templates/", "clever_login/templates/"),
    ("tests/broken/", "tests/mutants/"),
    ("tests/servers/", "tests/deployed/"),
    ("tests/foreign/", "tests/third_party_servers/"),
    ("bin/_", "tools/"),
]
TOOLS = {"_development": "dev_plan", "_aside": "suspended_files", "_broken": "mutants", "_environment": "venv", "_children": "processes"}
KEEP = {"clever_login.doctor", "clever_login.cli", "clever_login.auth", "clever_login.dashboard"}

def path_map(path: str) -> str:
    if path.startswith("bin/_"):
        stem = path[len("bin/"):-3]
        return f"tools/{TOOLS.get(stem, stem.lstrip('_'))}.py"
    if path.endswith(".py"):
        mod = move.modname(path)
        if mod in tables.MODULES: return tables.MODULES[mod].replace(".", "/") + ".py"
        if '/school/migrations/versions/' in path: return path.replace('school', 'db')
        if path.endswith("__init__.py") and any(path == f"{p}/__init__.py" for p in ("clever_login/api", "clever_login/checks", "tests/servers")): return ""
    for a, b in DIRS:
        if path.startswith(a): return b + path[len(a):]
    return path

def string_map() -> tuple[re.Pattern, dict[str, str]]:
    names = {o: n for o, n in tables.MODULES.items() if o not in KEEP}
    files = {}
    for o, n in tables.MODULES.items():
        files[o.replace(".", "/") + ".py"] = n.replace(".", "/") + ".py"
    files["clever_login/school/__init__.py"] = "clever_login/extension.py"
    allmap = {**names, **files}
    for o, n in DIRS: allmap[o] = n
    for o, n in list(tables.MODULES.items()):
        if o.startswith("clever_login.") and o.count(".") >= 1: allmap.setdefault(o.replace(".", "/"), n.replace(".", "/"))
    allmap.pop("clever_login/doctor", None); allmap.pop("clever_login/cli", None); allmap.pop("clever_login/auth", None); allmap.pop("bin/_", None)
    alt = "|".join(re.escape(k) for k in sorted(allmap, key=len, reverse=True))
    return re.compile(rf"(?<![\w./])(?:{alt})(?![\w])(?!\.\w)(?!/\w)" if False else rf"(?<![\w.])(?:{alt})(?!\w)"), allmap

PATTERN, ALL = string_map()
TEST_NAMES = re.compile(r"\b(" + "|".join(sorted(map(re.escape, TESTS), key=len, reverse=True)) + r")\b") if TESTS else None

def in_text(text: str) -> str:
    text = PATTERN.sub(lambda m: ALL[m[0]], text)
    return rename_tests(text)
def rename_tests(text):
    return TEST_NAMES.sub(lambda m: TESTS[m[1]], text) if TEST_NAMES else text

def in_strings(text: str) -> str:
    """Only inside string literals and comments of python source."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for l in lines: starts.append(starts[-1] + len(l))
    edits = []
    for tok in tokenize.generate_tokens(io.StringIO(text).readline):
        if tok.type in (tokenize.STRING, tokenize.COMMENT) or tok.type == getattr(tokenize, "FSTRING_MIDDLE", -1):
            s = starts[tok.start[0]-1] + tok.start[1]; e = starts[tok.end[0]-1] + tok.end[1]
            src = text[s:e]
            new = PATTERN.sub(lambda m: ALL[m[0]], src)
            if new != src: edits.append((s, e, new))
    return rename_tests(move.apply(text, edits))

def python_files(src):
    return [f for f in subprocess.run(["git", "ls-files", "*.py"], cwd=src, capture_output=True, text=True).stdout.split() if not f.startswith("bin/")]

def build(src: Path, dst: Path) -> None:
    files = python_files(src)
    texts = {f: in_strings((src / f).read_text()) for f in files}
    for f, a, b in tables.STRINGS:
        if f in texts: texts[f] = texts[f].replace(a, b)
    skip = {"clever_login/api/__init__.py", "clever_login/checks/__init__.py", "tests/servers/__init__.py"}
    files = [f for f in files if f not in skip]
    result = move.run(src, files, texts)
    for n in move.notes: print("note:", n)
    for f in subprocess.run(["git", "ls-files"], cwd=src, capture_output=True, text=True).stdout.splitlines():
        if f in files: continue
        to = path_map(f)
        if not to: continue
        (dst / to).parent.mkdir(parents=True, exist_ok=True)
        data = (src / f).read_bytes()
        binary = f.endswith((".png", ".jpg", ".svg")) or b"\0" in data[:1000]
        if not binary and not f.startswith("tests/broken") and not f.endswith((".txt", ".csv", ".json")):
            data = in_text(data.decode()).encode()
        (dst / to).write_bytes(data)
        shutil.copymode(src / f, dst / to)
    for p, t in result.items():
        (dst / p).parent.mkdir(parents=True, exist_ok=True)
        (dst / p).write_text(t)
        for parent in Path(p).parents:
            if str(parent) != "." and str(parent).split("/")[0] in ("clever_login", "clever_simulator", "tests", "bench") and not (dst / parent / "__init__.py").exists():
                (dst / parent / "__init__.py").write_text('"""."""\n')
    for tool in (dst / "tools").glob("*.py"):
        tool.write_text(tools_text(tool.read_text()))
    for cmd in list((dst / "bin").iterdir()):
        if cmd.is_file() and "pict" not in cmd.name: cmd.write_text(tools_text(cmd.read_text()))
        
def tools_text(text):
    def sub(m):
        stem = m[2]
        return f"{m[1]}tools.{TOOLS.get('_'+stem, stem)} import"
    text = re.sub(r"^(\s*from )_([a-z]\w*) import", sub, text, flags=re.M)
    text = text.replace("sys.path.insert(0, str(Path(__file__).resolve().parent))", "sys.path.insert(0, str(Path(__file__).resolve().parent.parent))")
    return text

if __name__ == "__main__":
    src, dst = Path(sys.argv[1]), Path(sys.argv[2])
    build(src, dst)
