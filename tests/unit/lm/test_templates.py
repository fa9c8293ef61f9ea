"""A chat template is somebody's program: it is bounded, and what it says is what transformers says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from coopt.core.errors import ModelError
from coopt.lm import templates
from coopt.lm.embedded.tokenizer import build_tokenizer

MESSAGES = [{"role": "system", "content": "Be <b>ü</b>."}, {"role": "user", "content": "1\n2"}]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(templates, "SECONDS", 120.0)  # the machine may be busy
    yield
    templates._renderer().close()


def speaking(template: str) -> PreTrainedTokenizerFast:
    made = build_tokenizer()
    made.chat_template = template
    return made


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{{ eos_token }}",
        "{{ messages | tojson }}{% if enable_thinking is false %}quiet{% endif %}"
        "{% if add_generation_prompt %}!{% endif %}",
        "{%- for m in messages -%}\n  {{ m['content'] | trim }}\n{%- endfor %}",
    ],
)
def test_it_says_what_transformers_says(template: str) -> None:
    made = speaking(template)
    expected = made.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    assert templates.render(made, MESSAGES, enable_thinking=False) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{% set r = range(99999) %}{% for a in r %}{% for b in r %}{% for c in r %}"
        "{% endfor %}{% endfor %}{% endfor %}",
        "{{ 'x' * 3000000000 }}",
        "{{ '%3000000000d' % 1 }}",
        "{% set n = namespace(x='xxxxxxxx') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{{ 'x' * 30000000 }}",
    ],
    ids=["loops", "string", "format", "doubling", "macros", "output"],
)
def test_a_template_without_end_is_one_line_and_the_next_is_rendered(
    template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(templates, "SECONDS", 3.0)
        with pytest.raises(ModelError, match="chat template exceeded its limits"):
            templates.render(speaking(template), MESSAGES)
    assert time.monotonic() - began < 60
    assert templates.render(speaking("{{ messages[1].content }}"), MESSAGES) == "1\n2"


def test_what_a_template_refuses_is_its_error() -> None:
    with pytest.raises(TemplateError, match="no system"):
        templates.render(speaking("{{ raise_exception('no system') }}"), MESSAGES)
    with pytest.raises(TemplateError):
        templates.render(speaking("{{ 1 // 0 }}"), MESSAGES)


def test_no_file_of_the_working_folder_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("json.py", "jinja2.py", "coopt.py"):
        (tmp_path / name).write_text("open('marker', 'w')\n")
    assert templates.render(speaking("{{ messages[1].content }}"), MESSAGES) == "1\n2"
    assert not (tmp_path / "marker").exists()


def test_the_embedded_template_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(templates, "_renderer", lambda: pytest.fail("a process for coopt's own template"))
        assert templates.render(build_tokenizer(), MESSAGES[1:]) == "<|user|>1\n2<|assistant|>"
