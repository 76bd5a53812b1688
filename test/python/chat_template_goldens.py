"""Conversations as transformers renders them through the templates of test/goldens/chat-templates: ours, written with the
constructs of the popular families' templates. Held by tokenizer/rendered-chats.test.ts. With folders as arguments
it renders their templates instead, for a look by hand at templates that are not ours to keep.

    pip install transformers jinja2 && python test/python/chat_template_goldens.py > test/goldens/chat-templates.json
"""

import glob
import json
import os
import sys
from datetime import datetime

import transformers.utils.chat_template_utils as chat_template_utils


class FixedClock(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 1, 5, 14, 7, 9, tzinfo=tz)


chat_template_utils.datetime = FixedClock

SPECIAL = {"bos_token": "<BOS>", "eos_token": "<EOS>", "pad_token": "<PAD>", "unk_token": "<UNK>"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": 'Current weather: "now" <b>&\'é\' 日本',
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "A city\nof the world"},
                "days": {"type": "integer", "enum": [1, 2, 3]},
                "unit": {"type": "string", "enum": ["°C", "°F"]},
                "near": {"type": "array", "items": {"type": "number"}},
                "options": {"type": ["string", "null"], "default": None},
            },
            "required": ["city"],
        },
    },
}
NOTHING = {
    "type": "function",
    "function": {"name": "noop", "description": "Nothing", "parameters": {"type": "object", "properties": {}}},
}

RULES = {"role": "system", "content": ' You are <helpful> & "kind".\n'}
HELLO = {"role": "user", "content": "Hi there 😀 \n"}
HELLO_BACK = {"role": "assistant", "content": "Hello!"}
QUESTION = {"role": "user", "content": "  What's 2 < 3 & 'x'?"}
RESULT = {"role": "tool", "content": '{"t": 3}', "tool_call_id": "call00001", "name": "get_weather"}
ARGUMENTS = {"city": "Zürich", "days": 2, "near": [1.5, -3, True, None]}


def call(arguments, name="get_weather", identity="call00001", content="", **more):
    function = {"name": name, "arguments": arguments}
    calls = [{"type": "function", "id": identity, "function": function}]
    return {"role": "assistant", "content": content, "tool_calls": calls, **more}


TWO_CALLS = call(ARGUMENTS, content="I look.")
TWO_CALLS["tool_calls"] = TWO_CALLS["tool_calls"] + call({}, "noop", "call00002")["tool_calls"]

CONVERSATIONS = {
    "user": [HELLO],
    "system": [RULES, HELLO],
    "turns": [RULES, HELLO, HELLO_BACK, QUESTION],
    "ends with an answer": [HELLO, HELLO_BACK],
    "two answers": [HELLO, HELLO_BACK, HELLO_BACK],
    "thoughts in the text": [HELLO, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes."}, QUESTION],
    "thoughts beside it": [HELLO, {"role": "assistant", "content": "Yes.", "reasoning": "\nhm\n"}],
    "call": [RULES, HELLO, call(ARGUMENTS), RESULT, HELLO_BACK, QUESTION],
    "call with thoughts": [HELLO, call(ARGUMENTS, reasoning_content="I had better look."), RESULT],
    "call without content": [HELLO, call(ARGUMENTS, content=None), RESULT],
    "call with arguments as text": [HELLO, call('{"city": "Zürich"}'), RESULT],
    "two calls": [HELLO, TWO_CALLS, RESULT, {**RESULT, "content": "ok", "name": "noop"}],
    "short id": [HELLO, call(ARGUMENTS, identity="c1"), RESULT],
    "parts": [{"role": "user", "content": [{"type": "text", "text": " one"}, {"type": "text", "text": "two"}]}],
    "none": [],
}

OPTIONS = {
    "prompt": {"add_generation_prompt": True},
    "whole": {"add_generation_prompt": False},
    "tools": {"add_generation_prompt": True, "tools": [WEATHER, NOTHING]},
    "no thinking": {"add_generation_prompt": True, "enable_thinking": False},
    "variables": {
        "add_generation_prompt": True,
        "tools": [NOTHING],
        "documents": [{"doc_id": 7, "text": "Long <text>"}, {"text": "é"}],
        "controls": {"citations": True, "length": None, "hallucinations": [0.25, "it's"]},
        "reasoning_effort": "high",
        "model_identity": "You are I.",
        "today": "1 Jan 2020",
    },
}


def render(template, messages, options):
    options = dict(options)
    try:
        texts, _ = chat_template_utils.render_jinja_template(
            [messages], options.pop("tools", None), chat_template=template, **options, **SPECIAL
        )
        return {"text": texts[0]}
    except Exception as error:
        return {"error": str(error)}


def main():
    here = os.path.join(os.path.dirname(__file__), "..", "goldens", "chat-templates")
    rendered = {}
    for folder in sys.argv[1:] or [here]:
        for path in sorted(glob.glob(os.path.join(folder, "*.jinja"))):
            with open(path, encoding="utf-8") as file:
                template = file.read()
            for conversation, messages in CONVERSATIONS.items():
                for name, options in OPTIONS.items():
                    key = f"{os.path.basename(path)} | {conversation} | {name}"
                    rendered[key] = render(template, messages, options)
    golden = {"special": SPECIAL, "conversations": CONVERSATIONS, "options": OPTIONS, "rendered": rendered}
    print(json.dumps(golden, ensure_ascii=False, indent=1))


main()
