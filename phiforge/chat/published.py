"""The members' protocol strings, and their chat formats as jinja.

The system messages are verbatim: the models were trained on these very bytes. The templates are ours. On what the
published ones can say they write the same bytes, and they say thoughts and tool calls besides, as `dialects` does.
"""

# microsoft/Phi-4-reasoning and -plus; five public copies of their template agree (for one, the GGUF of unsloth).
PHI4_REASONING_SYSTEM = (
    "You are Phi, a language model trained by Microsoft to help users. Your role as an assistant involves thoroughly "
    "exploring questions through a systematic thinking process before providing the final precise and accurate "
    "solutions. This requires engaging in a comprehensive cycle of analysis, summarizing, exploration, reassessment, "
    "reflection, backtracing, and iteration to develop well-considered thinking process. Please structure your "
    "response into two main sections: Thought and Solution using the specified format: <think> {Thought section} "
    "</think> {Solution section}. In the Thought section, detail your reasoning process in steps. Each step should "
    "include detailed considerations such as analysing questions, summarizing relevant findings, brainstorming new "
    "ideas, verifying the accuracy of the current steps, refining any errors, and revisiting previous steps. In the "
    "Solution section, based on various attempts, explorations, and reflections from the Thought section, "
    "systematically present the final solution that you deem correct. The Solution section should be logical, "
    "accurate, and concise and detail necessary steps needed to reach the conclusion. Now, try to solve the following "
    "question through the above guidelines:"
)
# microsoft/Phi-4-mini-reasoning, chat_template.jinja (microsoft/onnxruntime-extensions, test/data).
MINI_REASONING_SYSTEM = "Your name is Phi, an AI math expert developed by Microsoft."
# microsoft/Phi-4-mini-instruct, the model card's example of tool use.
MINI_TOOLS_SYSTEM = "You are a helpful assistant with some tools."
# HuggingFaceTB/SmolLM2-135M-Instruct, chat template (in the GGUF's metadata).
SMOLLM2_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"

JINJA_BODY = """\
{%- macro body(message) -%}
    {%- if message.reasoning_content is string -%}
        {{- '<think>' + message.reasoning_content + '</think>' -}}
    {%- endif -%}
    {{- message.content -}}
{%- endmacro -%}
"""

JINJA_NO_TOOLS = """\
{%- if tools -%}{{- raise_exception('NAME does not support tools') -}}{%- endif -%}
{%- for message in messages -%}
    {%- if message.role not in ('system', 'user', 'assistant') or message.tool_calls -%}
        {{- raise_exception('NAME does not support tools') -}}
    {%- endif -%}
{%- endfor -%}
"""

JINJA_PHI4_TURNS = """\
{%- for message in messages -%}
    {{- '<|im_start|>' + message.role + '<|im_sep|>' + body(message) + '<|im_end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant<|im_sep|>' -}}{%- endif -%}
"""

JINJA_PHI4_REASONING_SYSTEM = f"""\
{{%- if messages | selectattr('role', 'equalto', 'system') | list -%}}
    {{{{- raise_exception('NAME has a fixed system message; put the text into the user message') -}}}}
{{%- endif -%}}
{{{{- '<|im_start|>system<|im_sep|>{PHI4_REASONING_SYSTEM}<|im_end|>' -}}}}
"""

JINJA_SMOLLM2_TURNS = f"""\
{{%- if messages and messages[0].role != 'system' -%}}
    {{{{- '<|im_start|>system\\n{SMOLLM2_SYSTEM}<|im_end|>\\n' -}}}}
{{%- endif -%}}
{{%- for message in messages -%}}
    {{{{- '<|im_start|>' + message.role + '\\n' + body(message) + '<|im_end|>\\n' -}}}}
{{%- endfor -%}}
{{%- if add_generation_prompt -%}}{{{{- '<|im_start|>assistant\\n' -}}}}{{%- endif -%}}
"""

JINJA_TOOLS = """\
{%- macro offer() -%}
    {%- if tools -%}
        {{- '<|tool|>[' -}}
        {%- for tool in tools -%}
            {{- (tool.function if tool.function is mapping else tool) | tojson -}}
            {{- '' if loop.last else ', ' -}}
        {%- endfor -%}
        {{- ']<|/tool|>' -}}
    {%- endif -%}
{%- endmacro -%}
{%- macro calls(message) -%}
    {%- if message.tool_calls -%}
        {{- '<|tool_call|>[' -}}
        {%- for call in message.tool_calls -%}
            {{- '{"name": ' + call.function.name | tojson -}}
            {{- ', "arguments": ' + call.function.arguments | tojson + '}' -}}
            {{- '' if loop.last else ', ' -}}
        {%- endfor -%}
        {{- ']<|/tool_call|>' -}}
    {%- endif -%}
{%- endmacro -%}
"""

JINJA_PHIFORGE = f"""\
{JINJA_BODY}{JINJA_TOOLS}\
{{%- if tools and (not messages or messages[0].role != 'system') -%}}
    {{{{- '<|im_start|>system\\n' + offer() + '<|im_end|>\\n' -}}}}
{{%- endif -%}}
{{%- for message in messages -%}}
    {{{{- '<|im_start|>' + message.role + '\\n' + body(message) -}}}}
    {{{{- (offer() if loop.first and message.role == 'system' else '') + calls(message) + '<|im_end|>\\n' -}}}}
{{%- endfor -%}}
{{%- if add_generation_prompt -%}}{{{{- '<|im_start|>assistant\\n' -}}}}{{%- endif -%}}
"""

JINJA_MINI_TURN = """\
{%- macro turn(message) -%}
    {{- '<|tool_response|>' if message.role == 'tool' else '<|' + message.role + '|>' -}}
    {{- body(message) + calls(message) -}}
{%- endmacro -%}
"""

JINJA_MINI = f"""\
{{%- if tools and (not messages or messages[0].role != 'system') -%}}
    {{{{- '<|system|>{MINI_TOOLS_SYSTEM}' + offer() + '<|end|>' -}}}}
{{%- endif -%}}
{{%- for message in messages -%}}
    {{{{- turn(message) + (offer() if loop.first and message.role == 'system' else '') + '<|end|>' -}}}}
{{%- endfor -%}}
{{{{- '<|assistant|>' if add_generation_prompt else '<|endoftext|>' -}}}}
"""

JINJA_MINI_REASONING = f"""\
{{{{- '<|system|>{MINI_REASONING_SYSTEM}' -}}}}
{{%- set systems = messages | selectattr('role', 'equalto', 'system') | list -%}}
{{%- for message in systems -%}}
    {{{{- ' ' + message.content + (offer() if loop.first else '') -}}}}
{{%- endfor -%}}
{{{{- (' ' + offer() if tools and not systems else '') + '<|end|>' -}}}}
{{%- for message in messages if message.role != 'system' -%}}
    {{{{- turn(message) + '<|end|>' -}}}}
{{%- endfor -%}}
{{{{- '<|assistant|>' if add_generation_prompt else '<|endoftext|>' -}}}}
"""
