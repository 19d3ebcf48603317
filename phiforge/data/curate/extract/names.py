"""What the names of LaTeX mean for text: levels of headings, kinds of environments, arguments, symbols, accents."""

from __future__ import annotations

from phiforge.data.curate.extract.markdown import APART, BREAK

LEVELS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "frametitle": 3}
MATHS = frozenset(
    "equation align alignat flalign gather multline eqnarray displaymath math dmath alignedat xalignat IEEEeqnarray darray".split()
)
CODE = frozenset(
    "verbatim Verbatim BVerbatim lstlisting minted alltt listing semiverbatim python pyconsole pycode sourcecode".split()
)
TABLES = frozenset("tabular tabularx tabulary longtable supertabular tblr tabu longtblr".split())
DROPPED = frozenset(
    "tikzpicture pgfpicture pspicture picture tikzcd comment filecontents thebibliography axis asy CCSXML feynmandiagram".split()
)
# The marker of each item: "1" counts, "" is the item's own label.
LISTS = {
    **dict.fromkeys("itemize compactitem tasks list trivlist".split(), "-"),
    **dict.fromkeys("enumerate compactenum inparaenum questions parts".split(), "1"),
    "description": "",
}  # fmt: skip
THEOREMS = {
    **{name.lower(): name for name in "Theorem Lemma Proposition Corollary Definition Example Remark Conjecture Claim Exercise Problem Fact Note Notation "
        "Axiom Question Solution Assumption".split()},
    "thm": "Theorem", "lem": "Lemma", "prop": "Proposition", "cor": "Corollary", "defn": "Definition", "rem": "Remark", "ex": "Example",
}  # fmt: skip
FLOATS = {
    **dict.fromkeys("figure wrapfigure sidewaysfigure subfigure SCfigure marginfigure".split(), "Figure"),
    **dict.fromkeys("table sidewaystable wraptable".split(), "Table"),
    "algorithm": "Algorithm", "listing": "Listing",
}  # fmt: skip
# Arguments of commands and environments: s star, o in brackets, m in braces, K in braces and kept as text.
ARGUMENTS = {
    **dict.fromkeys(
        "label index bibliography bibliographystyle addbibresource nocite pagestyle thispagestyle usepackage documentclass hspace vspace vskip selectlanguage "
        "pagenumbering hyphenation author date institute address email affiliation thanks markboth graphicspath captionsetup includegraphics includepdf lstset "
        "usetikzlibrary tikzset pgfplotsset hypersetup geometry setcitestyle linespread stepcounter refstepcounter cline cmidrule rowcolor cellcolor rowcolors "
        "vphantom hphantom phantom enlargethispage subjclass dedicatory color theoremstyle marginpar todo bibitem specialrule lstinputlisting verbatiminput "
        "newlength newcounter usecounter titlerunning authorrunning orcid PACS "
        "cite citep citet citealp citealt citeauthor citeyear citeyearpar parencite textcite autocite footcite citenum Cite Citet Citep fullcite supercite "
        "cites onlinecite".split(), "soom"),
    **dict.fromkeys("setlength addtolength setcounter addtocounter fontsize pdfbookmark newcolumntype textblockorigin numberwithin rule".split(), "omm"),
    **dict.fromkeys("foreignlanguage adjustbox hyperlink hypertarget".split(), "mK"),
    "printbibliography": "o", "addcontentsline": "mmm", "definecolor": "mmm", "tikz": "om", "titleformat": "smmmmm",
    "textcolor": "omK", "colorbox": "omK", "fcolorbox": "ommK", "href": "omK", "resizebox": "smmK", "scalebox": "moK", "raisebox": "mooK", "rotatebox": "omK",
    "makebox": "ooK", "framebox": "ooK", "parbox": "ooomK", "texorpdfstring": "Km", "hyperref": "oK", "multirow": "omomK", "multicolumn": "mmK",
}  # fmt: skip
ENVIRONMENT_ARGUMENTS = {
    "minipage": "ooom", "multicols": "mo", "wrapfigure": "omom", "wraptable": "omom", "subfigure": "om", "column": "om", "tabularx": "omom", "tabular": "om",
    "tabular*": "mom", "tabulary": "mom", "longtable": "om", "supertabular": "m", "tblr": "om", "longtblr": "om", "tabu": "m", "adjustbox": "m", "list": "mm",
    "itemize": "oo", "enumerate": "oo", "description": "oo", "spacing": "m", "adjustwidth": "mm", "otherlanguage": "m", "turn": "m",
}  # fmt: skip
MARKS = {
    **dict.fromkeys("textbf strong bf bfseries".split(), "**"),
    **dict.fromkeys("emph textit textsl em it itshape sl".split(), "*"),
}  # fmt: skip
SWITCHES = frozenset("bf bfseries em it itshape sl".split())  # that hold to the end of their group
SYMBOLS = {
    "ldots": "…", "dots": "…", "textellipsis": "…", "copyright": "©", "S": "§", "P": "¶", "pounds": "£", "euro": "€", "texteuro": "€", "textbackslash": "\\",
    "textasciitilde": "~", "textasciicircum": "^", "textbar": "|", "textless": "<", "textgreater": ">", "textdegree": "°", "degree": "°", "textendash": "–",
    "textemdash": "—", "LaTeX": "LaTeX", "TeX": "TeX", "LaTeXe": "LaTeX2e", "BibTeX": "BibTeX", "ss": "ß", "o": "ø", "O": "Ø", "ae": "æ", "AE": "Æ", "oe": "œ",
    "OE": "Œ", "aa": "å", "AA": "Å", "l": "ł", "L": "Ł", "i": "ı", "j": "ȷ", "dag": "†", "ddag": "‡", "textbullet": "•", "textquotedblleft": "“",
    "textquotedblright": "”", "textquoteleft": "‘", "textquoteright": "’", "guillemotleft": "«", "guillemotright": "»", "slash": "/", "textunderscore": "_",
    "textquotesingle": "'", "textregistered": "®", "texttrademark": "™", "textmu": "µ", "textvisiblespace": "␣", "textperiodcentered": "·", "and": ", ",
    "cdots": "$\\cdots$", "to": "$\\to$", "hline": "",
    **dict.fromkeys("quad qquad enspace space nobreakspace".split(), " "),
    **dict.fromkeys("newline linebreak".split(), BREAK),
    **dict.fromkeys("par newpage clearpage cleardoublepage bigskip medskip smallskip".split(), APART),
}  # fmt: skip
ACCENTS = {"'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307"}
LETTER_ACCENTS = {"c": "\u0327", "v": "\u030c", "H": "\u030b", "u": "\u0306", "k": "\u0328", "r": "\u030a", "b": "\u0331", "d": "\u0323"}  # fmt: skip
REFERENCES = frozenset("ref eqref autoref cref Cref pageref nameref vref subref thref".split())
# Chemistry and units stay commands, which need no more than dollars to be told from text: name and arguments.
AS_MATHS = {
    "ce": 1,
    "si": 1,
    "unit": 1,
    "num": 1,
    "ang": 1,
    "SI": 2,
    "qty": 2,
    "numrange": 2,
    "SIrange": 3,
    "qtyrange": 3,
}
CAPTIONS = frozenset("caption subcaption captionof".split())
