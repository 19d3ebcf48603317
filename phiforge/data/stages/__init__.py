"""Phi-4's techniques of making data, a file each, each usable alone: an async function that returns a report.

Where a stage decides, its report has `kept`, and `reason` in a few words that can be counted (empty where it is kept).
`teacher` is a `phiforge.data.teacher.Teacher`; what it cannot answer raises `BadAnswer`. `draw` is chance that repeats.

    propose.annotate(teacher, text, most=4) -> Annotations          excerpts with kind, complexity, obscurity, reasoning steps
    propose.briefs(topics, personas, levels, draw, n) -> [Brief]    taxonomy × persona × difficulty, evenly covered
    propose.propose(teacher, brief, excerpt="") -> Proposed         ideas, question, examiner, repair: a question and answer
    revise.revise(teacher, task, draft, rubric, rounds=3) -> Revised    critique with scores, revise, every draft kept
    revise.gain(reports) -> Gain                                    mean gain of many, with its interval
    reverse.reverse(teacher, code, draw, entry="") -> Reversed      code → instruction → code, kept if behaviour agrees
    plurality.plurality(teacher, question, n=9, stop="exact") -> Plurality      N answers, clustered; all-agree and none dropped
    vote.decide / settled / chance_of_change / expected             the arithmetic of votes that plurality stands on
    deduce.deduce(teacher, text) -> Deduced                         the chain of deductions in a text, and a question from it
    fill_middle.fill_middle(teacher, text, draw) -> Filled          a reasoned-out part taken away and found again
    rewrite.rewrite(teacher, text, form) -> Rewritten               a web text in another form, without copies or new numbers
    converse.converse(teacher, snippet, draw, turns=2) -> Conversed     profiles, first turn, alternating turns, revised
    difficulty.rate(solvers, problem, n=4) -> Difficulty            how often weaker models agree with the answer
    difficulty.teachable(difficulty, least, most) -> bool           neither too easy nor too hard for them
    difficulty.reasoning(teacher, question, solution) -> Reasoning  steps counted and graded, recall told from thought
    rejection.rejection(teacher, problem, want=1, n=8) -> Sampled   answers that the verifier accepts, and the rejects
    unknowns.unknowns(teacher, question, answer) -> Unknowns        correct / refuse / bogus question, rows for SFT and DPO
    execute.run_tests(code, tests) -> Executed                      code against tests in the sandbox, and whether these bite
    execute.write_code(teacher, task, tests="") -> Written          code and tests written, run, repaired until they pass

What several stand on: `solve` (asking for attempts, reading their answers, clustering and judging them), `behaviour` (inputs
for a function and what it returns), `texts` (what is copied, quoted, told).
"""
