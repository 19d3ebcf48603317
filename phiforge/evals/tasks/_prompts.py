"""Prompts that are a benchmark's protocol, word for word."""

from phiforge.records import Problem

# BFCL's own prompt for models without a tool format, as it builds it: the first two sentences are not spaced there either.
BFCL = """You are an expert in composing functions.You are given a question and a set of possible functions. Based on the \
question, you will need to make one or more function/tool calls to achieve the purpose. If none of the functions can be used, \
point it out. If the given question lacks the parameters required by the function, also point it out.

You should only return the function calls in your response.

If you decide to invoke any of the function(s), you MUST put it in the format of [func_name1(params_name1=params_value1, \
params_name2=params_value2...), func_name2(params)].  You SHOULD NOT include any other text in the response.

At each turn, you should try your best to complete the tasks requested by the user within the current turn. Continue to output \
functions to call until you have fulfilled the user's request to the best of your ability. Once you have no more functions to \
call, the system will consider the current turn complete and proceed to the next turn or task.

Here is a list of functions in json format that you can invoke.
{functions}
"""


def evalplus(problem: Problem) -> str:
    """EvalPlus' instruction for chat models; it also begins their answer, which chat templates don't allow."""
    asks = "Please provide a self-contained Python script that solves the following problem in a markdown code block:"
    return f"{asks}\n```\n{problem.messages[-1].text.strip()}\n```\n"
