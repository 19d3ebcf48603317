# ruff: noqa: E501
"""Documents to text: formulas, code and tables come out exactly, boilerplate does not, and hostile documents fail in words."""

from __future__ import annotations

import io
import json
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from phiforge.cli.main import main
from phiforge.data import seeds
from phiforge.data.curate import extract as package
from phiforge.data.curate import filters
from phiforge.data.curate.extract import MissingLibrary, Unreadable, decode, documents, extract, kind_of

PASSAGES = [" ".join(seed.text.split()) for seed in seeds.own("passages")]
PROSE = (
    "The committee met on Tuesday to discuss the proposal, and after a long debate agreed that the bridge should be "
    "rebuilt before winter. Nobody had expected the vote to be so close. "
)


def html(body: str, head: str = "") -> str:
    return extract(f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode(), "html").text.strip()


# --- HTML: formulas -------------------------------------------------------------------------------------------------------

MATHML = {
    "<msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mn>1</mn><mo>=</mo><mn>0</mn>": "x^2 + 1 = 0",
    "<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>": r"\frac{a + b}{2}",
    "<mroot><mi>x</mi><mn>3</mn></mroot><msqrt><mi>y</mi></msqrt>": r"\sqrt[3]{x}\sqrt{y}",
    "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><msub><mi>a</mi><mi>i</mi></msub>": r"\sum_{i = 1}^n a_i",
    "<munder><mi>lim</mi><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder><mi>sin</mi><mo>&#x2061;</mo><mi>x</mi>": r"\lim_{x \to 0}\sin x",
    "<mo>(</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd><mtd><mn>4</mn></mtd></mtr></mtable><mo>)</mo>": r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
    "<mi>f</mi><mo>=</mo><mrow><mo>{</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mtext>if </mtext><mi>x</mi></mtd></mtr></mtable></mrow>": r"f = \begin{cases} 1 & \text{if }x \end{cases}",
    "<mi>α</mi><mo>∈</mo><mi>ℝ</mi>": r"\alpha \in \mathbb{R}",
    "<mover><mi>x</mi><mo>^</mo></mover><mover><mrow><mi>A</mi><mi>B</mi></mrow><mo>→</mo></mover>": r"\hat{x}\overrightarrow{AB}",
    "<mmultiscripts><mi>C</mi><mn>6</mn><none/><mprescripts/><none/><mn>14</mn></mmultiscripts>": r"{}^{14}C_6",
    "<mfenced><mi>x</mi><mi>y</mi></mfenced>": "(x, y)",
    "<semantics><mi>q</mi><annotation encoding='application/x-tex'>\\frac{1}{2}q</annotation></semantics>": r"\frac{1}{2}q",
}


@pytest.mark.parametrize("markup", MATHML)
def test_mathml_becomes_latex(markup: str) -> None:
    assert html(f"<p>Let <math>{markup}</math> hold.</p>") == f"Let ${MATHML[markup]}$ hold."
    assert html(f"<p>Let</p><math display='block'>{markup}</math>") == f"Let\n\n$${MATHML[markup]}$$"


def test_mathml_of_latex2mathml_comes_back() -> None:
    from latex2mathml.converter import convert

    for tex in (
        r"\int_0^1 x^n\,dx = \frac{1}{n + 1}",
        r"\left(\frac{a}{b}\right)^2",
        r"\binom{n}{k}",
        r"\underbrace{a + b}_n",
        r"f'(x)",
        r"|x| \le 2",
        r"\mathbb{R} \subset \mathbf{C}",
        r"90^{\circ}",
    ):
        assert html(f"<p>{convert(tex)}</p>") == f"${tex}$"


TYPESET = {
    "MathJax 2": '<p>If <span class="MathJax_Preview">x2</span><span class="MathJax" id="e1"><nobr>x2</nobr></span><script type="math/tex">x^2 < 3</script> then</p>',
    "MathJax 2 with MathML": '<p>If <span class="MathJax"><nobr aria-hidden="true">x2</nobr><span class="MJX_Assistive_MathML"><math><mi>x</mi></math></span></span><script type="math/tex">x^2 < 3</script> then</p>',
    "MathJax 2 before it runs": '<p>If <script type="math/tex">x^2 < 3</script> then</p>',
    "MathJax 3": '<p>If <mjx-container jax="CHTML"><mjx-math aria-hidden="true"><mjx-mi>x</mjx-mi></mjx-math><mjx-assistive-mml><math><semantics><mi>x</mi><annotation encoding="application/x-tex">x^2 &lt; 3</annotation></semantics></math></mjx-assistive-mml></mjx-container> then</p>',
    "KaTeX": '<p>If <span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>x</mi></mrow><annotation encoding="application/x-tex">x^2 &lt; 3</annotation></semantics></math></span><span class="katex-html" aria-hidden="true"><span>x2&lt;3</span></span></span> then</p>',
    "MediaWiki": '<p>If <span class="mwe-math-element"><span class="mwe-math-mathml-inline" style="display: none;"><math alttext="{\\displaystyle x^2 &lt; 3}"><mi>x</mi></math></span><img class="mwe-math-fallback-image-inline" alt="{\\displaystyle x^2 &lt; 3}"></span> then</p>',
    "pandoc": '<p>If <span class="math inline">\\(x^2 &lt; 3\\)</span> then</p>',
    "dollars": "<p>If $x^2 &lt; 3$ then</p>",
    "an image": '<p>If <img class="latex" alt="x^2 &lt; 3" src="e.png"> then</p>',
    "LaTeXML": '<p>If <math class="ltx_Math" alttext="x^{2}&lt;3"><mi>x</mi></math> then</p>'.replace(
        "x^{2}&lt;3", "x^2 &lt; 3"
    ),
}


@pytest.mark.parametrize("how", TYPESET)
def test_typeset_formulas_are_read_once(how: str) -> None:
    assert html(TYPESET[how]) == "If $x^2 < 3$ then"


def test_displayed_formulas_stand_apart_and_keep_their_lines() -> None:
    tex = "a &= b   \\\\\n  c &= d"
    assert html(
        f'<div class="math notranslate">\\[\\begin{{split}}{tex.replace("&", "&amp;")}\\end{{split}}\\]</div>'
    ) == (f"$$\\begin{{split}}{tex}\\end{{split}}$$")
    assert (
        html("<p>So \\begin{align} x &amp;= 1 \\end{align} and</p>")
        == "So\n\n\\begin{align} x &= 1 \\end{align}\n\nand"
    )
    assert html('<p>So<script type="math/tex; mode=display">E=mc^2</script></p>') == "So\n\n$$E=mc^2$$"
    katex = '<span class="katex-display"><span class="katex"><math><annotation encoding="application/x-tex">y</annotation></math></span></span>'
    assert html(f"<p>So {katex}</p>") == "So\n\n$$y$$"


def test_scripts_in_html_are_marked_and_footnotes_go() -> None:
    assert (
        html("<p>H<sub>2</sub>O, x<sup>2n</sup>, the 1<sup>st</sup><sup><a href='#fn1'>1</a></sup></p>")
        == "H_2O, x^{2n}, the 1st"
    )


# --- HTML: code, tables, lists ----------------------------------------------------------------------------------------------

CODE = 'def f(x):\n    """Two  spaces."""\n\n\tif x < 3 & x > 1:\n        return `x`  # $5\n'


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_code_is_kept_to_the_character() -> None:
    fenced = f"```python\n{CODE.rstrip()}\n```"
    assert html(f'<pre><code class="language-python">{escaped(CODE)}</code></pre>') == fenced
    assert (
        html(
            f'<div class="highlight-python3 notranslate"><div class="highlight"><pre><span></span>{escaped(CODE)}</pre></div></div>'
        )
        == fenced
    )
    lines = "".join(
        f"<span class='lineno'>{n}</span>{escaped(line)}\n" for n, line in enumerate(CODE.rstrip().split("\n"), 1)
    )
    assert html(f'<pre class="python" data-lang="python">{lines}<button>Copy</button></pre>') == fenced
    table = f'<table class="highlighttable"><tr><td class="linenos"><pre>1\n2</pre></td><td><div class="highlight-python"><pre>{escaped(CODE)}</pre></div></td></tr></table>'
    assert html(table) == fenced
    assert html("<pre>a<br>  b</pre>") == "```\na\n  b\n```"
    assert html("<pre>```\nx\n```</pre>") == "````\n```\nx\n```\n````"
    assert html("<ul><li>See<pre>  if x:\n      y</pre></li></ul>") == "- See\n\n  ```\n    if x:\n        y\n  ```"
    assert html("<p>Call <code>f(`a`)</code> or <kbd>Ctrl</kbd>.</p>") == "Call ``f(`a`)`` or `Ctrl`."


def test_formulas_in_code_are_code() -> None:
    assert (
        html("<p><code>\\(x\\)</code> and \\(y\\)</p><pre>\\[z\\]</pre>") == "`\\(x\\)` and $y$\n\n```\n\\[z\\]\n```"
    )


def test_tables_keep_their_order_and_resolve_spans() -> None:
    markup = """<table><caption>Scores</caption><tfoot><tr><td>sum</td><td>3</td><td>7</td></tr></tfoot>
    <thead><tr><th rowspan="2">name</th><th colspan="2">points</th></tr><tr><th>a</th><th>b|c</th></tr></thead>
    <tbody><tr><td>Ada</td><td>1</td><td rowspan="2">\\(|x|\\)</td></tr><tr><td>Ben</td><td>2</td></tr></tbody></table>"""
    assert html(markup).split("\n") == [
        "Scores",
        "",
        "| name | points | points |",
        "| --- | --- | --- |",
        "| name | a | b\\|c |",
        "| Ada | 1 | $\\vert x\\vert$ |",
        "| Ben | 2 | $\\vert x\\vert$ |",
        "| sum | 3 | 7 |",
    ]


def test_nested_and_layout_tables() -> None:
    inner = "<table><tr><th>k</th><th>v</th></tr><tr><td>1</td><td>2</td></tr></table>"
    told = "| k | v |\n| --- | --- |\n| 1 | 2 |"
    assert (
        html(f"<table><tr><td>left</td><td>{inner}</td></tr><tr><td>a</td><td>b</td></tr></table>")
        == f"left\n\n{told}\n\na\n\nb"
    )
    assert html(f"<table role='presentation'><tr><td><p>One</p></td><td>{inner}</td></tr></table>") == f"One\n\n{told}"


def test_headings_lists_and_quotes() -> None:
    markup = """<h1>T<a class="headerlink" href="#t">¶</a></h1><p>A  <b>bold</b> <em>word</em><br>next.</p>
    <ol start="3"><li>three</li><li>four<ul><li>in</li></ul></li></ol><blockquote><p>Said.</p><p>More.</p></blockquote>
    <dl><dt>term</dt><dd>what it is</dd></dl><h3>\\(x\\) again</h3>"""
    assert html(markup) == (
        "# T\n\nA **bold** *word*\nnext.\n\n3. three\n4. four\n   - in\n\n> Said.\n>\n> More.\n\nterm\n\n: what it is\n\n### $x$ again"
    )


def test_boilerplate_goes_and_the_text_stays() -> None:
    page = f"""<html><head><title>The bridge</title><style>p {{}}</style><script>var x = "script"</script></head><body>
    <header class="site-header"><a href="/">Home page</a> <a href="/a">About us</a></header>
    <nav><ul><li><a href="/1">Navigation one</a></li></ul></nav>
    <div class="cookie-banner"><p>We value your privacy: accept all cookies?</p><button>Accept</button></div>
    <div id="sidebar"><p>Sidebar words.</p></div>
    <div class="breadcrumbs"><a href="/">Start</a> &gt; <a href="/b">Here</a></div>
    <article class="post content"><h1>The bridge</h1><p>{PROSE}</p><div class="share-buttons">Share on everything</div>
    <section id="navigation"><h2>Navigation</h2><p>A section about navigation at sea.</p></section>
    <aside class="admonition note"><p>Note this.</p></aside><aside><p>Aside words.</p></aside>
    <div style="display:none">Hidden words</div><noscript>Turn scripts on</noscript><!-- a comment --></article>
    <div class="related-posts"><h2>Related</h2><a href="/c">Another story</a></div>
    <form><input value="x"><label><a href="/s">Search here</a></label></form>
    <footer><p>Copyright of the footer.</p></footer></body></html>"""
    found = extract(page.encode())
    assert found.title == "The bridge"
    assert found.text == (
        f"# The bridge\n\n{PROSE.strip()}\n\n## Navigation\n\nA section about navigation at sea.\n\nNote this.\n"
    )


def test_lists_of_links_go_where_nothing_is_called_the_main_part() -> None:
    links = "".join(f'<li><a href="/{n}">Story number {n}</a></li>' for n in range(8))
    assert html(
        f"<ul>{links}</ul><div><p>{PROSE}</p><p>{PROSE}</p></div><p><a>One</a> | <a>Two</a> | <a>Three</a></p>"
    ) == (f"{PROSE.strip()}\n\n{PROSE.strip()}")


def test_a_page_named_like_boilerplate_is_still_a_page() -> None:
    assert PROSE.strip() in html(f'<div class="sidebar-right"><div class="menu"><p>{PROSE * 5}</p></div></div>')


# --- characters and kinds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<meta charset=windows-1251><p>Привет".encode("cp1251"), "Привет"),
        (
            '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"><p>“caf\u00e9”'.encode("cp1252"),
            "“café”",
        ),
        ('<?xml version="1.0" encoding="Shift_JIS"?><html><p>日本語</p></html>'.encode("cp932"), "日本語"),
        ("<meta charset=latin1><p>naïve".encode(), "naïve"),
        (b"\xff\xfe" + "<p>ü".encode("utf-16-le"), "ü"),
        ("<html><p>ü".encode("utf-16-be"), "ü"),
        ("\ufeff<p>ü".encode(), "ü"),
        (b"<p>caf\xe9", "café"),
        (b"<meta charset=no-such-thing><p>caf\xe9", "café"),
        ("<meta charset=iso-2022-jp><p>日本".encode("iso-2022-jp"), "日本"),
    ],
)
def test_character_sets(content: bytes, expected: str) -> None:
    assert expected in decode(content)
    assert extract(content, "html").text.strip() == expected


def test_kinds_are_told_by_content() -> None:
    assert kind_of(b"%PDF-1.7 ...") == kind_of(b"\n\n%PDF-1.4", ".html") == "pdf"
    assert kind_of(b"  <!-- c --><!DOCTYPE html><p>", ".txt2") == kind_of(b"<div>x</div>") == "html"
    assert (
        kind_of(b"% c\n\\documentclass{article}")
        == kind_of(b"Words.\n\\section{A}")
        == kind_of(b"plain", ".tex")
        == "tex"
    )
    assert kind_of(b"<p>markdown</p>", ".md") == "text"
    assert kind_of(book({"a.xhtml": "<p>x</p>"})) == "epub"
    for content, suffix in (
        (b"plain words", ""),
        (bytes(range(256)) * 4, ".html"),
        (b"plain", ".pdf"),
        (b"x", ".epub"),
    ):
        with pytest.raises(Unreadable):
            kind_of(content, suffix)
    with pytest.raises(ValueError, match="no kind of document 'docx'"):
        extract(b"x", "docx")


# --- TeX ---------------------------------------------------------------------------------------------------------------------


def tex(body: str, preamble: str = "") -> str:
    return extract(
        f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\nafter".encode(),
        "tex",
    ).text.strip()


def test_macros_are_resolved_in_text_and_formulas() -> None:
    preamble = r"""
    \newcommand{\R}{\mathbb{R}} \newcommand*\norm[1]{\lVert #1 \rVert} \newcommand{\inner}[2][x]{\langle #1, #2\rangle}
    \def\eps{\varepsilon} \def\half#1{\tfrac12#1} \DeclareMathOperator{\rank}{rank} \DeclareMathOperator*{\amax}{arg\,max}
    \let\phi\varphi \newcommand{\model}{\textsc{PhiNet}\xspace} \def\be{\begin{equation}}\def\ee{\end{equation}}
    \newenvironment{claimbox}[1]{\begin{quote}\textbf{#1}: }{\end{quote}} \NewDocumentCommand{\pair}{m O{0}}{(#1,#2)}
    \let\oldvec\vec \renewcommand{\vec}[1]{\oldvec{\mathbf #1}} \newcommand{\twice}[1]{#1#1} \newif\ifdraft \draftfalse"""
    assert tex(r"In $\R^n$, $\norm{x}\le\inner{y}+\inner[a]{b}$.", preamble) == (
        r"In $\mathbb{R}^n$, $\lVert x \rVert\le\langle x, y\rangle+\langle a, b\rangle$."
    )
    assert tex(r"$\eps x$ $\eps{}x$ $\half{x}$ $\rank A$ $\amax_x$ $\phi$ $\pair{1}$ $\vec v$", preamble) == (
        r"$\varepsilon x$ $\varepsilon{}x$ $\tfrac12x$ $\operatorname{rank} A$ $\operatorname*{arg\,max}_x$ $\varphi$ $(1,0)$ $\vec{\mathbf v}$"
    )
    assert tex(r"\model{} is \twice{\textbf{so}} good.", preamble) == "PhiNet is **so****so** good."
    assert tex(r"\be a = \eps \ee", preamble) == r"\begin{equation} a = \varepsilon \end{equation}"
    assert tex(r"\begin{claimbox}{Claim}True.\end{claimbox}", preamble) == "> **Claim**: True."
    assert tex(r"A\ifdraft B\else C\fi D\iffalse E \ifdraft x\fi F\fi G", preamble) == "ACDG"


def test_mathematics_stays_as_it_is() -> None:
    align = "\\begin{align*}\n  a &= b \\\\\n  \\label{eq:x} c &= \\begin{pmatrix} 1 & 2 \\end{pmatrix}\n\\end{align*}"
    assert tex(f"Then\n{align}\nfollows.") == f"Then\n\n{align}\n\nfollows."
    assert tex(r"\(a_1\) and \[ b^2 \] and $$c$$ and $d \text{ if $e$ holds}$.") == (
        "$a_1$ and\n\n$$b^2$$\n\nand\n\n$$c$$\n\nand $d \\text{ if $e$ holds}$."
    )
    assert tex("$a % comment with $ and }\n  + b$, 50\\% off \\$5") == r"$a + b$, 50% off \$5"
    assert tex(r"About \SI{3}{\metre} of \ce{H2O}.") == r"About $\SI{3}{\metre}$ of $\ce{H2O}$."


def test_code_in_tex_is_kept_to_the_character() -> None:
    listing = f"\\begin{{lstlisting}}[language=Python, caption={{A $x$ loop}}]\n{CODE}\\end{{lstlisting}}"
    assert tex(listing) == f"```python\n{CODE.rstrip()}\n```\n\nListing: A $x$ loop"
    assert tex(f"\\begin{{verbatim}}\n{CODE}% kept \\R\n\\end{{verbatim}}") == f"```\n{CODE}% kept \\R\n```"
    assert tex("\\begin{minted}{c}\n  int x; // 5%\n\\end{minted}") == "```c\n  int x; // 5%\n```"
    assert tex(r"Use \verb|a % $b$ \c| or \lstinline!x{}! or \texttt{f\_g}.") == r"Use `a % $b$ \c` or `x{}` or `f_g`."


def test_structure_of_tex() -> None:
    body = r"""
    \maketitle \tableofcontents
    \section[short]{One \emph{thing}}\label{sec:one} % a comment
    Text~with ``quotes''---and na\"{\i}ve \'etudes\footnote{A note.}, \textcolor{red}{red} \href{http://x.y}{link}~\cite{a,b}.
    % only a comment

    {\bf Old} style.
    \begin{itemize} \item one \begin{enumerate} \item in \end{enumerate} \item[x] two \end{itemize}
    \begin{description} \item[Key] value \end{description}
    \begin{thm}[Euler] $e^{i\pi}=-1$. \end{thm} \begin{proof} Clear. \end{proof}
    \begin{figure}[t] \centering \includegraphics[width=\textwidth]{plot.png} \caption{A plot of $x$.} \label{fig:a} \end{figure}
    \begin{comment} hidden \end{comment} \begin{tikzpicture} \draw (0,0); \end{tikzpicture}
    See \ref{sec:one}. \bibliographystyle{plain} \bibliography{refs}
    \begin{thebibliography}{9} \bibitem{a} Somebody. \end{thebibliography}"""
    assert tex(body, r"\title{The \emph{Title}} \author{A. Person} \newtheorem{thm}{Theorem}[section]").split(
        "\n\n"
    ) == [
        "# The *Title*",
        "## One *thing*",
        "Text with “quotes”—and naïve études (A note.), red link.",
        "**Old** style.",
        "- one\n  1. in\n- x two",
        "- **Key** value",
        r"**Theorem** (Euler). $e^{i\pi}=-1$.",
        "*Proof.* Clear.",
        "Figure: A plot of $x$.",
        "See [sec:one].",
    ]


def test_tables_of_tex() -> None:
    body = r"""\begin{table}\caption{Scores}\begin{tabular}{l|cc} \toprule \multicolumn{2}{c}{Head} & $|x|$ \\ \midrule
    \multirow{2}{*}{A} & 1 & $\begin{pmatrix} a & b \\ c & d \end{pmatrix}$ \\ \cline{2-3} & 3\% & {4 \& 5} \\[2pt] \bottomrule
    \end{tabular}\end{table}"""
    assert tex(body).split("\n") == [
        "Table: Scores",
        "",
        r"| Head | Head | $\vert x\vert$ |",
        "| --- | --- | --- |",
        r"| A | 1 | $\begin{pmatrix} a & b \\ c & d \end{pmatrix}$ |",
        "| A | 3% | 4 & 5 |",
    ]


def test_inputs_are_taken_in_within_the_folder(tmp_path: Path) -> None:
    (tmp_path / "paper/parts").mkdir(parents=True)
    main_file = tmp_path / "paper/main.tex"
    main_file.write_text(
        "\\documentclass{article}\\input{macros}\\begin{document}\\input{parts/one} \\include{parts/two}\\end{document}"
    )
    (tmp_path / "paper/macros.tex").write_text("\\newcommand{\\R}{\\mathbb{R}}")
    (tmp_path / "paper/parts/one.tex").write_text("First $\\R$.\n\n\\input{parts/deeper.tex}")
    (tmp_path / "paper/parts/deeper.tex").write_text("Deeper.")
    (tmp_path / "paper/parts/two.tex").write_text("Second.")
    assert extract(main_file).text == "First $\\mathbb{R}$.\n\nDeeper.\n\nSecond.\n"
    assert list(documents(tmp_path)) == [main_file]

    (tmp_path / "secret.tex").write_text("SECRET")
    (tmp_path / "paper/link.tex").symlink_to(tmp_path / "secret.tex")
    for bad, reason in (
        ("\\input{/etc/passwd}", "outside"),
        ("\\input{../secret}", "outside"),
        ("\\input ../secret.tex ", "outside"),
        ("\\input{link}", "outside"),
        ("\\newcommand{\\x}{/etc/passwd}\\input{parts/../../secret}", "outside"),
        ("\\input{nothing}", "missing"),
        ("\\input{bad}", "without end"),
    ):
        (tmp_path / "paper/bad.tex").write_text(bad)
        with pytest.raises(Unreadable, match=reason) as failure:
            extract(tmp_path / "paper/bad.tex")
        assert "bad.tex" in str(failure.value)
    with pytest.raises(Unreadable, match="no folder"):
        extract(b"\\section{A}\\input{b}", name="memory")


# --- EPUB --------------------------------------------------------------------------------------------------------------------

CONTAINER = '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'


def book(
    pages: dict[str, str], *, spine: list[str] | None = None, opf: str = "", extra: dict[str, str] | None = None
) -> bytes:
    items = "".join(f'<item id="{n.replace("/", "-")}" href="{n}" media-type="application/xhtml+xml"/>' for n in pages)
    order = "".join(f'<itemref idref="{n.replace("/", "-")}"/>' for n in (list(pages) if spine is None else spine))
    package = opf or (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>A Book</dc:title></metadata>'
        f'<manifest>{items}<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="nav"/>{order}</spine></package>'
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OPS/book.opf", package)
        for name, page in pages.items():
            archive.writestr(f"OPS/{name}", page)
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return file.getvalue()


def xhtml(body: str) -> str:
    return f'<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title/></head><body>{body}</body></html>'


def test_books_are_read_in_the_order_of_their_spine() -> None:
    pages = {
        "text/b.xhtml": xhtml('<a id="p"/><h1>Second</h1><p>Caf&#233;&nbsp;x.</p><pre>  a\n    b</pre>'),
        "a.xhtml": xhtml(
            '<nav epub:type="toc"><a href="#x">Contents</a></nav><h1>First</h1><p><m:math xmlns:m="http://www.w3.org/1998/Math/MathML"><m:mi>x</m:mi><m:mo>=</m:mo><m:mn>1</m:mn></m:math></p>'
        ),
    }
    found = extract(book(pages, spine=["a.xhtml", "text-b.xhtml"]))
    assert (found.kind, found.title) == ("epub", "A Book")
    assert found.text == "# First\n\n$x = 1$\n\n# Second\n\nCafé x.\n\n```\n  a\n    b\n```\n"


LAUGHS = (
    '<!DOCTYPE html [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    + "]>"
)


def bomb() -> bytes:
    return book({"a.xhtml": "<p>" + "0" * 60_000_000 + "</p>"})


def flagged(content: bytes) -> bytes:
    """An archive that says its pages are encrypted."""
    marked = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = marked.find(mark)
        while at >= 0:
            marked[at + offset] |= 1
            at = marked.find(mark, at + 4)
    return bytes(marked)


PROTECTED = '<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData><e:CipherData><e:CipherReference URI="OPS/a.xhtml"/></e:CipherData></e:EncryptedData></encryption>'
TRAVERSAL = '<package><manifest><item id="x" href="../../etc/passwd" media-type="text/html"/></manifest><spine><itemref idref="x"/></spine></package>'


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (bomb, "zip bomb"),
        (lambda: book({"a.xhtml": LAUGHS + xhtml("<p>&j;</p>")}), "declares entities"),
        (lambda: book({}, opf=LAUGHS + "<package>&j;</package>"), "declares entities"),
        (lambda: book({}, opf=TRAVERSAL), "outside the archive"),
        (lambda: book({}, opf=TRAVERSAL.replace("../../etc/passwd", "/etc/passwd")), "outside the archive"),
        (lambda: book({}, opf=TRAVERSAL.replace("../../", "%2e%2e/%2e%2e/")), "outside the archive"),
        (lambda: book({}, opf=TRAVERSAL.replace("../../etc/passwd", "gone.xhtml")), "gone.xhtml is missing"),
        (lambda: book({}, opf="<package><manifest"), "broken XML"),
        (lambda: book({}), "spine is empty"),
        (lambda: book({"a.xhtml": xhtml(PROSE)})[:-40], "broken zip"),
        (lambda: book({"a.xhtml": xhtml(PROSE)})[:300], "broken zip"),
        (lambda: flagged(book({"a.xhtml": xhtml(PROSE)})), "encrypted"),
        (lambda: book({"a.xhtml": xhtml(PROSE)}, extra={"META-INF/encryption.xml": PROTECTED}), "encrypted"),
        (lambda: book({"a.xhtml": xhtml("<div>" * 5000 + "x")}), "nested too deeply"),
        (lambda: book({"a.xhtml": xhtml("")}), "no text"),
    ],
)
def test_hostile_books_fail_in_words(make: Callable[[], bytes], reason: str) -> None:
    content = make()
    started = time.process_time()
    with pytest.raises(Unreadable, match=reason) as failure:
        extract(content, "epub", name="evil.epub")
    assert str(failure.value).startswith("evil.epub: ")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LAUGHS.encode() + b"<html><p>&j;</p></html>", "declares entities"),
        (b"<html>" + b"<div>" * 100_000, "nested too deeply"),
        (b"<html><p></p><script>x</script></html>", "no text"),
        (
            b"<table><tr>" + b"<td colspan=1000 rowspan=9>x</td>" * 300 + b"<tr><th>y" * 9 + b"</table>",
            "too large a table",
        ),
        (rb"\newcommand{\a}{x\a}\section{\a}\a", "without end|no text"),
        (rb"\section{x}\def\a{\b\b}\def\b{\a\a}\a", "without end"),
        (
            b"\\section{x}" + b"".join(b"\\def\\%c{\\%c\\%c}" % (c, c + 1, c + 1) for c in range(97, 121)) + b"\\a",
            "without end",
        ),
        (b"\\section{x}" + b"\\begin{quote}" * 5000, "nested too deeply"),
        (b"\\section{x}" + b"\\textbf{" * 5000, "nested too deeply"),
        (b"%PDF-1.7\n" + b"\x00junk" * 100, "broken PDF"),
        (b"PK\x03\x04" + b"\x00" * 100, "unknown kind"),
        (b"", "unknown kind"),
    ],
)
def test_hostile_documents_fail_in_words(content: bytes, reason: str) -> None:
    started = time.process_time()
    with pytest.raises(Unreadable, match=reason) as failure:
        extract(content, name="evil")
    assert str(failure.value).startswith("evil: ")
    assert time.process_time() - started < 8


@pytest.mark.parametrize("what", ["\\(a ", "\\[a ", "\\begin{align} ", "$$ "])
def test_beginnings_without_end_take_no_longer(what: str) -> None:
    started = time.process_time()
    assert html(f"<p>So {what * 20_001}").startswith("So")
    assert time.process_time() - started < 4


# --- PDF ---------------------------------------------------------------------------------------------------------------------


class Pdf:
    """Pages drawn line by line with reportlab; y from the top, in points."""

    def __init__(self, password: str = "") -> None:
        from reportlab.lib.pdfencrypt import StandardEncryption
        from reportlab.pdfgen.canvas import Canvas

        self.file = io.BytesIO()
        self.canvas = Canvas(self.file, (612, 792), encrypt=StandardEncryption(password) if password else None)

    def line(self, x: float, y: float, text: str, font: str = "Times-Roman", size: float = 10) -> None:
        self.canvas.setFont(font, size)
        self.canvas.drawString(x, 792 - y, text)

    def lines(
        self, x: float, y: float, texts: list[str], font: str = "Times-Roman", size: float = 10, leading: float = 12
    ) -> None:
        for n, text in enumerate(texts):
            self.line(x, y + n * leading, text, font, size)

    def page(self) -> None:
        self.canvas.showPage()

    def bytes(self) -> bytes:
        self.canvas.save()
        return self.file.getvalue()


def wrapped(words: str, n: int) -> list[str]:
    import textwrap

    return textwrap.wrap(words, n)


def test_two_columns_are_read_one_after_the_other() -> None:
    left = "Left one begins the text and it goes on about rivers and bridges that were built long ago by people whose names are now forgotten by nearly everyone who walks there."
    right = "Right one follows when the first column has ended and it tells of towers and walls which stand on the other bank and are visited by many more people every single year."
    pdf = Pdf()
    pdf.line(150, 80, "A title over both of the columns", "Times-Bold", 18)
    rows = list(zip(wrapped(left, 40), wrapped(right, 40), strict=False))
    for n, (a, b) in enumerate(rows):  # drawn row by row, as a PDF may have it
        pdf.line(60, 120 + 12 * n, a)
        pdf.line(320, 120 + 12 * n, b)
    assert len(rows) >= 4
    assert extract(pdf.bytes()).text == f"# A title over both of the columns\n\n{left}\n\n{right}\n"


def test_hyphens_running_heads_and_page_numbers() -> None:
    pdf = Pdf()
    for number in range(1, 5):
        pdf.line(
            60, 40, f"Annual Report {number}" if number % 2 else f"{number} The Bridge Company", "Times-Italic", 9
        )
        pdf.lines(
            60,
            100,
            [
                "The mathe-",
                "matics of bridges is well-",
                "known, and page",
                f"number{'abcd'[number - 1]} is only text",
            ],
        )
        pdf.line(60, 220, "A well-known second paragraph ends here.")
        pdf.line(300, 760, str(number + 10))
        pdf.page()
    text = extract(pdf.bytes()).text
    assert text.count("The mathematics of bridges is well-known, and page") == 4
    assert "Annual Report" not in text
    assert "Bridge Company" not in text
    assert not any(line.strip().isdigit() for line in text.splitlines())
    assert "A well-known second paragraph ends here." in text.split("\n\n")


def test_code_in_a_fixed_font_keeps_its_columns() -> None:
    code = ["def f(x):", "    if x:", "        return  1  # two  spaces", "", "    return 0"]
    pdf = Pdf()
    pdf.line(60, 80, "Some words before the code, as there are in most documents:")
    pdf.lines(80, 104, code, "Courier", 9, 11)
    pdf.line(60, 180, "And some words after it.")
    assert extract(pdf.bytes()).text == (
        "Some words before the code, as there are in most documents:\n\n```\n"
        + "\n".join(code)
        + "\n```\n\nAnd some words after it.\n"
    )


def test_headings_paragraphs_lists_scripts_and_tables() -> None:
    pdf = Pdf()
    pdf.line(60, 60, "1 Introduction", "Helvetica-Bold", 16)
    pdf.lines(60, 90, ["The first paragraph has two lines of text, the", "second of which ends it."])
    pdf.lines(60, 126, ["A second paragraph follows after a gap, and it says", "that x"])
    pdf.line(60 + pdf.canvas.stringWidth("that x", "Times-Roman", 10), 134.5, "2", size=7)
    pdf.line(60 + pdf.canvas.stringWidth("that x2 ", "Times-Roman", 10), 138, "is a square.")
    pdf.lines(60, 165, ["• first item of the list", "• second item of the list"])
    for n, row in enumerate((("name", "points"), ("Ada", "31"), ("Ben", "27"), ("Cleo", "12"))):
        pdf.line(80, 220 + 12 * n, row[0])
        pdf.line(200, 220 + 12 * n, row[1])
    assert extract(pdf.bytes()).text.split("\n\n") == [
        "# 1 Introduction",
        "The first paragraph has two lines of text, the second of which ends it.",
        "A second paragraph follows after a gap, and it says that x^2 is a square.",
        "- first item of the list\n- second item of the list",
        "| name | points |\n| --- | --- |\n| Ada | 31 |\n| Ben | 27 |\n| Cleo | 12 |\n",
    ]


def test_hostile_pdfs_fail_in_words() -> None:
    pdf = Pdf()
    pdf.line(60, 60, PROSE[:60])
    whole = pdf.bytes()
    secret = Pdf("secret")
    secret.line(60, 60, "hidden")
    blank = Pdf()
    blank.page()
    for content, reason in (
        (secret.bytes(), "encrypted"),
        (whole[: len(whole) // 4], "broken PDF"),
        (whole[:40], "broken PDF"),
        (blank.bytes(), "no text.*scan"),
    ):
        started = time.perf_counter()
        with pytest.raises(Unreadable, match=reason) as failure:
            extract(content, name="x.pdf")
        assert str(failure.value).startswith("x.pdf: ")
        assert time.perf_counter() - started < 30


def test_a_pdf_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from phiforge.data.curate.extract import pdf as reader

    monkeypatch.setattr(reader, "SECONDS", 0.01)
    with pytest.raises(Unreadable, match="too slow"):
        extract(b"%PDF-1.4")


# --- libraries, seeds, curation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "content", "kind"),
    [("lxml.etree", b"<p>x", "html"), ("pypdfium2", b"%PDF-", "pdf"), ("lxml.etree", b"PK", "epub")],
)
def test_a_missing_library_is_named_with_its_install_line(
    monkeypatch: pytest.MonkeyPatch, library: str, content: bytes, kind: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingLibrary, match=r'pip install "phiforge\[documents\]"'):
        extract(content, kind)


def test_opening_the_package_needs_no_library() -> None:
    import subprocess

    code = f"import sys; import {package.__name__}, phiforge.data.seeds; sys.exit(any(m in sys.modules for m in ('lxml', 'pypdfium2')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def folder_of_documents(folder: Path) -> None:
    folder.mkdir()
    (folder / "page.html").write_text(
        f"<html><nav><a href='/'>Menu words</a></nav><main><p>{PROSE}</p><pre>\n{escaped(CODE)}</pre></main></html>"
    )
    (folder / "paper.tex").write_text(
        "\\documentclass{article}\\begin{document}" + PASSAGES[0] + " So $x^2$." + "\\end{document}"
    )
    (folder / "notes.txt").write_text(PASSAGES[1])
    (folder / "book.epub").write_bytes(book({"a.xhtml": xhtml("<p>" + PASSAGES[2] + "</p>")}))
    pdf = Pdf()
    pdf.lines(60, 80, wrapped(PASSAGES[3], 70))
    (folder / "minutes.pdf").write_bytes(pdf.bytes())


def test_a_folder_of_documents_is_seeds(tmp_path: Path) -> None:
    folder_of_documents(tmp_path / "docs")
    found = seeds.read(str(tmp_path / "docs"), licence="CC0-1.0")
    assert {Path(seed.source).name for seed in found} == {
        "page.html",
        "paper.tex",
        "notes.txt",
        "book.epub",
        "minutes.pdf",
    }
    assert all(seed.licence == "CC0-1.0" for seed in found)
    (page,) = seeds.read(str(tmp_path / "docs/page.html"))
    assert page.text == f"{PROSE.strip()}\n\n```\n{CODE.rstrip()}\n```"
    (tmp_path / "docs/bad.pdf").write_bytes(b"%PDF-1.4 broken")
    with pytest.raises(ValueError, match=r"bad\.pdf: broken PDF"):
        seeds.read(str(tmp_path / "docs"))


def test_passages_do_not_cut_code(tmp_path: Path) -> None:
    block = "```python\n" + "def f():\n    return 1\n\n\n" * 60 + "```"
    (tmp_path / "a.md").write_text(f"{PROSE}\n\n{block}\n\n{PROSE}{PROSE}\n")
    assert [seed.text for seed in seeds.read(str(tmp_path / "a.md"))] == [block, (PROSE + PROSE).strip()]


def test_a_folder_of_documents_is_curated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docs, out = tmp_path / "docs", tmp_path / "out"
    folder_of_documents(docs)
    (docs / "again.html").write_bytes((docs / "page.html").read_bytes())
    (docs / "bad.epub").write_bytes(b"PK\x03\x04 broken")
    (docs / "empty.html").write_text("<html><script>x</script></html>")
    assert main(["data", "curate", str(docs), "-o", str(out), "--languages", "en"]) == 0
    assert "unreadable: broken zip" in capsys.readouterr().out
    report = msgspec.json.decode((out / "report.json").read_bytes(), type=filters.CurationReport)
    assert report.rejected == {"exact duplicate": 1, "unreadable: broken zip": 1, "unreadable: no text": 1}
    kept = {row["source"]: row for row in map(json.loads, (out / "kept.jsonl").open())}
    assert set(kept) == {"again.html", "book.epub", "minutes.pdf", "notes.txt", "paper.tex"}
    assert kept["again.html"]["text"] == f"{PROSE.strip()}\n\n```\n{CODE.rstrip()}\n```\n"
    assert (kept["book.epub"]["title"], kept["book.epub"]["kind"]) == ("A Book", "epub")
    rejects = {row["id"]: row["reason"] for row in map(json.loads, (out / "rejects.jsonl").open())}
    assert rejects == {
        "page.html": "exact duplicate",
        "bad.epub": "unreadable: broken zip",
        "empty.html": "unreadable: no text",
    }
    (tmp_path / "none").mkdir()
    assert main(["data", "curate", str(tmp_path / "none"), "-o", str(tmp_path / "o")]) == 1
