"""Rewrites the imports and names of Python modules for their new places, and merges modules."""
from __future__ import annotations
import re, sys, ast
from collections import defaultdict
from pathlib import Path
import libcst as cst
from libcst import metadata as md
from tables import MODULES as M
from tables import NAMES as RENAME

ORDER: dict[str, list[str]] = {}
for _old, _new in M.items():
    ORDER.setdefault(_new, []).append(_old)

PKGS = ("clever_login", "clever_simulator", "tests", "bench", "dashboard")
def modname(path: str) -> str:
    m = path[:-3].replace("/", ".")
    return m[:-9] if m.endswith(".__init__") else m
def new_of(mod: str) -> str:
    return M.get(mod, mod)
def split(mod): return mod.rpartition(".")[::2]

class Problem(Exception): pass
notes: list[str] = []

class Offsets:
    def __init__(self, text):
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
    def at(self, pos): return self.starts[pos.line - 1] + pos.column

def dotted(node):
    if node is None: return ""
    if isinstance(node, cst.Name): return node.value
    return dotted(node.value) + "." + node.attr.value

def transform(old: str, text: str, known: set[str], is_pkg: bool = False) -> str:
    """Text of one old module with imports and references rewritten for its new place."""
    nf = new_of(old)
    wrapper = md.MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    pos = wrapper.resolve(md.PositionProvider)
    scopes = wrapper.resolve(md.ScopeProvider)
    parents = wrapper.resolve(md.ParentNodeProvider)
    off = Offsets(text)
    edits: list[tuple[int, int, str]] = []
    def span(node):
        r = pos[node]; return off.at(r.start), off.at(r.end)
    all_scopes = {s for s in scopes.values() if s is not None}
    # identifiers used otherwise in this file
    def refs(scope, name):
        out = []
        for a in scope[name]:
            out.extend(a.references)
        return out
    done_refs = set()
    def rename_refs(scope, local, new, attr_of=None, drop=False):
        for access in refs(scope, local):
            node = access.node
            while isinstance(node, cst.Attribute): node = node.value
            if not isinstance(node, cst.Name) or node.value != local or id(node) in done_refs: continue
            parent = parents[node]
            if isinstance(parent, cst.ImportAlias): continue
            done_refs.add(id(node))
            s, e = span(node)
            if isinstance(parent, cst.Attribute) and parent.value is node and attr_of is not None:
                attr = parent.attr.value
                a = RENAME.get((attr_of, attr), attr)
                s2, e2 = span(parent.attr)
                if drop:
                    edits.append((s, e2, a)); continue
                if a != attr: edits.append((s2, e2, a))
            elif drop:
                raise Problem(f"{old}: module {local} used bare at {pos[node].start.line}")
            if new != local: edits.append((s, e, new))
    # own definitions
    module_scope = next((s for s in all_scopes if isinstance(s, md.GlobalScope)), None)
    for (m, name), new in RENAME.items():
        if m != old: continue
        found = False
        for assignment in module_scope[name]:
            n = assignment.node
            if isinstance(n, (cst.FunctionDef, cst.ClassDef)): n = n.name
            if isinstance(n, cst.Name):
                edits.append((*span(n), new)); found = True; done_refs.add(id(n))
        rename_refs(module_scope, name, new)
        for access in refs(module_scope, name): pass
        if not found: notes.append(f"rename target not found {m}.{name}")
    class V(cst.CSTVisitor):
        METADATA_DEPENDENCIES = ()
        def visit_Import(self, node):
            for al in node.names:
                d = dotted(al.name)
                if d in M: raise Problem(f"{old}: import {d}")
        def visit_ImportFrom(self, node):
            if node.relative: raise Problem(f"{old}: relative import")
            base = dotted(node.module)
            if not base.startswith(PKGS): return
            if isinstance(node.names, cst.ImportStar): raise Problem("star")
            scope = scopes[node]
            groups = defaultdict(list)
            for al in node.names:
                name = al.name.value
                asname = al.asname.name.value if al.asname else None
                local = asname or name
                full = f"{base}.{name}"
                if full in known and (full in M or True) and full in ALLMODS:
                    n = new_of(full)
                    parent, leaf = split(n)
                    if n == nf and old != full:
                        rename_refs(scope, local, None, attr_of=full, drop=True)
                        continue
                    if asname:
                        rename_refs(scope, local, local, attr_of=full)
                        groups[parent].append(f"{leaf} as {asname}" if asname != leaf else leaf)
                        if parent == "" : raise Problem("top-level alias")
                        continue
                    new_local = ALIAS.get((old, full), leaf)
                    if new_local != local:
                        clash = [s for s in all_scopes for a in s.assignments if a.name == new_local and not _is_this_import(a, known)]
                        if clash and (old, full) not in ALIAS:
                            new_local = default_alias(n)
                            notes.append(f"{old}: {full} -> {n}: local name clash, alias {new_local}")
                    rename_refs(scope, local, new_local, attr_of=full)
                    if parent == "":
                        groups[""].append(leaf)
                    else:
                        groups[parent].append(leaf if new_local == leaf else f"{leaf} as {new_local}")
                elif base in M or base in known:
                    n = new_of(base)
                    newname = RENAME.get((base, name), name)
                    if n == nf and base != old:
                        if local != newname: rename_refs(scope, local, newname)
                        continue
                    if asname:
                        groups[n].append(f"{newname} as {asname}" if newname != asname else newname)
                    else:
                        if newname != local: rename_refs(scope, local, newname)
                        groups[n].append(newname)
                else:
                    groups[base].append(f"{name} as {asname}" if asname else name)
            stmt = parents[node]
            s, e = span(node)
            lines = []
            for g, names in groups.items():
                names = list(dict.fromkeys(names))
                if g == "": lines += [f"import {x}" for x in names]
                else: lines.append(f"from {g} import {', '.join(names)}" if len(', '.join(names)) < 60 or 'noqa' in text[e:e+40] else f"from {g} import (\n    {', '.join(names)},\n)")
            indent = " " * pos[node].start.column
            if not lines:
                # pass-out: remove the statement (with trailing comment)
                edits.append((s, e, "DELETED_IMPORT"))
            else:
                edits.append((s, e, ("\n" + indent).join(l.replace("\n", "\n" + indent) for l in lines)))
    wrapper.module.visit(V())
    out = apply(text, edits)
    out = re.sub(r"^[ \t]*DELETED_IMPORT[^\n]*\n", "", out, flags=re.M)
    return out

def _is_this_import(a, known):
    """Whether this is an import of a module of ours, and so no clash."""
    if not isinstance(a, md.ImportAssignment): return False
    node = a.node
    if isinstance(node, cst.ImportFrom): return f"{dotted(node.module)}.{a.name}" in ALLMODS
    return False

def default_alias(new):
    parent, leaf = split(new)
    return parent.rpartition(".")[2] + "_" + leaf

def apply(text, edits):
    edits = sorted(set(edits))
    out, last = [], 0
    for s, e, t in edits:
        if s < last: raise Problem(f"overlapping edits near {text[s:s+60]!r}")
        out.append(text[last:s]); out.append(t); last = e
    out.append(text[last:])
    return "".join(out)

def sections(text):
    """docstring, imports, type-checking imports, body."""
    tree = ast.parse(text)
    lines = text.splitlines(keepends=True)
    starts = [0]
    for l in lines: starts.append(starts[-1] + len(l))
    doc, imports, typing, keep_from = "", [], [], None
    body = list(tree.body)
    taken = []
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
        doc = body[0].value.value
        taken.append((body[0].lineno, body[0].end_lineno))
        body = body[1:]
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            src = "".join(lines[node.lineno - 1: node.end_lineno])
            if "__future__" not in src: imports.append(src)
            taken.append((node.lineno, node.end_lineno))
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            typing.append("".join(lines[node.lineno: node.end_lineno]))
            taken.append((node.lineno, node.end_lineno))
    drop = {n for a, b in taken for n in range(a, b + 1)}
    rest = "".join(l for i, l in enumerate(lines, 1) if i not in drop)
    return doc, imports, typing, rest.strip("\n") + "\n"

def top_names(text):
    names = {}
    for node in ast.parse(text).body:
        src = ast.get_source_segment(text, node)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)): names[node.name] = (src, node)
        elif isinstance(node, ast.Assign):
            for t in node.targets:
                for n in ast.walk(t):
                    if isinstance(n, ast.Name): names[n.id] = (src, node)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name): names[node.target.id] = (src, node)
    return names

def merge(new, parts):
    if len(parts) == 1: return parts[0][1]
    docs, imports, typing, bodies, seen = [], [], [], [], {}
    for old, text in parts:
        d, i, t, b = sections(text)
        docs.append(d.strip()); imports += i; typing += t
        for name, (src, node) in top_names(b).items():
            if name in seen:
                if seen[name][0] == src and isinstance(node, (ast.Assign, ast.AnnAssign)):
                    lines = b.splitlines(keepends=True)
                    for k in range(node.lineno - 1, node.end_lineno): lines[k] = ""
                    b = "".join(lines)
                    continue
                raise Problem(f"{new}: {name} in {seen[name][1]} and {old}: {src[:60]!r}")
            seen[name] = (src, old)
        bodies.append(b.strip("\n"))
    doc = '"""' + "\n\n".join(docs) + ('\n' if "\n" in "\n\n".join(docs) else "") + '"""\n'
    text = doc + "\nfrom __future__ import annotations\n\n" + "".join(imports) + "\n"
    if typing: text += "if TYPE_CHECKING:\n" + "".join(typing) + "\n"
    return text + "\n\n".join(bodies) + "\n"

ALIAS: dict = {}
ALLMODS: set[str] = set()

def new_path(path: str, mod: str) -> str:
    if "/school/migrations/versions/" in path: return path.replace("/school/", "/db/")
    if mod not in M: return path
    n = M[mod].replace(".", "/")
    return n + ".py"

def run(src: Path, files: list[str], texts: dict[str, str]) -> dict[str, str]:
    mods = {f: modname(f) for f in files}
    ALLMODS.clear(); ALLMODS.update(m for m in mods.values()); ALLMODS.update(M)
    known = set(mods.values())
    out: dict[str, list] = defaultdict(list)
    problems = []
    for f in files:
        mod = mods[f]
        if not f.startswith(PKGS + ("app.py", "docs/", "gunicorn.conf.py")): continue
        try:
            out[new_path(f, mod)].append((mod, transform(mod, texts[f], known)))
        except Problem as e: problems.append(str(e))
    result = {}
    for p, parts in out.items():
        order = ORDER.get(p[:-3].replace("/", "."), [])
        parts.sort(key=lambda x: order.index(x[0]) if x[0] in order else 0)
        try: result[p] = merge(p, parts)
        except Problem as e: problems.append(str(e))
    if problems:
        print("\n".join(problems)); 
    return result
