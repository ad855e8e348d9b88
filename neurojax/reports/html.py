"""Pieces of an HTML page; whatever is text is escaped."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: #222;
       background: #fff; max-width: 66rem; margin: 2.5rem auto 5rem; padding: 0 1.5rem; }
h1 { font-size: 1.15rem; font-weight: 600; color: #666; margin: 0 0 1.2rem; }
h2 { font-size: 1.3rem; margin: 2.8rem 0 .8rem;
     border-bottom: 1px solid #ddd; padding-bottom: .3rem; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .5rem; }
.answer { font-size: 2rem; line-height: 1.25; font-weight: 650; margin: 0 0 1rem; color: #0b4f7d; }
.cards { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.4rem 0; }
.card { flex: 1 1 9rem; border: 1px solid #ddd; border-radius: .5rem; padding: .7rem .9rem; }
.card b { display: block; font-size: 1.6rem; font-variant-numeric: tabular-nums; }
.card span { color: #666; font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .5rem; border-bottom: 1px solid #eee;
         white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 12rem; }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
thead th { white-space: normal; border-bottom: 2px solid #bbb; font-weight: 600;
           vertical-align: bottom; }
tr.circuit td { font-weight: 650; background: #e8f2f9; }
tr.control td { background: #fdf4e3; }
figure { margin: 1.2rem 0; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption, .note { color: #555; font-size: .88rem; }
.limits { background: #fbf1ee; border-left: 4px solid #D55E00; padding: .3rem 1.2rem; }
code { background: #f2f2f2; padding: .1em .3em; border-radius: .2em; font-size: .92em; }
@media print { body { margin: 0; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
""".strip()


def page(title: str, body: Iterable[str]) -> str:
    """A whole page that needs no other file."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text; between backquotes it is code."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{_with_code(text)}</p>"


def bullets(items: Iterable[str], kind: str = "") -> str:
    """A list of plain texts."""
    mark = f' class="{kind}"' if kind else ""
    lines = "".join(f"<li>{_with_code(item)}</li>" for item in items)
    return f"<div{mark}><ul>{lines}</ul></div>"


def cards(numbers: Iterable[tuple[str, str]]) -> str:
    """Large numbers, each with what it is."""
    inside = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(what)}</span></div>'
        for value, what in numbers
    )
    return f'<div class="cards">{inside}</div>'


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], kinds: Sequence[str] = (), kind: str = ""
) -> str:
    """A table; `kinds` are the classes of its rows."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    lines = []
    for k, row in enumerate(rows):
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        lines.append(f'<tr class="{kinds[k] if k < len(kinds) else ""}">{cells}</tr>')
    top = f"<thead><tr>{head}</tr></thead>" if header else ""
    body = "\n".join(lines)
    return f'<div class="scroll"><table class="{kind}">{top}<tbody>\n{body}\n</tbody></table></div>'


def picture(png: bytes, caption: str) -> str:
    """A picture inside the page."""
    data = base64.b64encode(png).decode()
    text = escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _with_code(text: str) -> str:
    parts = escape(text).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts))
