"""Endpoints through the console's forms, without scripts: made, faulty, changed, declared, removed."""

import re
from pathlib import Path

import pytest

from support.console import SLOW, Console, Operator
from support.packages import package_of
from support.plugins import write_plugin
from support.raw_http import ask

SECRET = "xoxb-the-secret-of-the-bot"
BRIDGE = "test/chat-bridge"


def form(**changes: str) -> dict[str, str]:
    """A form of the bridge as a browser sends it."""
    shown = {f"settings.{name}.shown": "1" for name in ("bot_token", "signing_secret", "greeting", "region", "again")}
    filled = {"plugin": BRIDGE, "name": "Support", "hook_id": "", "enabled": "true", "settings.region": "eu"}
    given = {
        f"settings.{name}" if name in ("bot_token", "greeting", "region") else name: changes[name] for name in changes
    }
    return {**shown, **filled, **given}


@pytest.fixture
def made(operator: Operator) -> str:
    """The page of an endpoint of the bridge, with a secret."""
    answer = operator.post("/console/endpoints/new", form(bot_token=SECRET))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def hook_of(operator: Operator, page: str) -> str:
    found = re.search(r"/e/(\w+)/channels", operator.get(page).text)
    assert found
    return found[1]


def says(console: Console, hook: str) -> str:
    answer = ask(console.gateway, f"/e/{hook}/channels/general/messages", method="POST", body=b"hello")
    return answer.body.decode()


def test_an_endpoint_that_is_made_answers(console: Console, operator: Operator, made: str) -> None:
    assert f"token of {len(SECRET)}, region eu, again False" in says(console, hook_of(operator, made))


def test_no_page_shows_a_secret(operator: Operator, made: str) -> None:
    for page in (made, f"{made}/edit", f"{made}/delete", "/console/endpoints", f"/console/plugins/{BRIDGE}"):
        assert SECRET not in operator.get(page).text
    refused = operator.post(f"{made}/edit", form(bot_token=SECRET, name=""))
    assert refused.status_code == 422
    assert SECRET not in refused.text
    refused = operator.post("/console/endpoints/new", form(bot_token=SECRET, region="nowhere"))
    assert refused.status_code == 422
    assert SECRET not in refused.text


def test_what_is_wrong_is_told_beside_the_fields(operator: Operator) -> None:
    answer = operator.post(
        "/console/endpoints/new", form(name="", region="mars", hook_id="no such/hook", greeting="Hi")
    )
    assert answer.status_code == 422
    for field in ("name", "hook_id", "settings.bot_token", "settings.region"):
        assert re.search(
            rf'id="field-{field}"[^>]*aria-describedby="field-{field}-faults[^>]*aria-invalid="true"', answer.text
        )
        assert f'<a href="#field-{field}">' in answer.text
        assert f'id="field-{field}-faults"' in answer.text
    # What was right stays.
    assert 'value="Hi"' in answer.text
    assert operator.get("/console/endpoints").text.count("no such/hook") == 0


def test_an_edit_keeps_the_secret_that_nobody_touches(console: Console, operator: Operator, made: str) -> None:
    changed = operator.post(f"{made}/edit", form(name="Other", region="us", **{"settings.again": "true"}))
    assert changed.status_code == 303
    said = says(console, hook_of(operator, made))
    assert f"token of {len(SECRET)}, region us, again True" in said


def test_another_secret_takes_its_place(console: Console, operator: Operator, made: str) -> None:
    operator.post(f"{made}/edit", form(bot_token="short"))
    assert "token of 5," in says(console, hook_of(operator, made))


def test_a_required_secret_cannot_be_removed(operator: Operator, made: str) -> None:
    refused = operator.post(f"{made}/edit", form(**{"settings.bot_token.remove": "1"}))
    assert refused.status_code == 422


def test_the_rules_for_callers_are_set_shown_and_taken_back(console: Console, operator: Operator, made: str) -> None:
    hook = hook_of(operator, made)
    rules = {"callers.shown": "1", "allow_from": "192.0.2.0/24, 2001:db8::/32", "rate": "100/min burst 20"}
    rules |= {"cors.origins": "https://app.example.com", "cors.credentials": "true", "cors.max_age": "60"}
    assert operator.post(f"{made}/edit", form(**rules)).status_code == 303
    assert "address_not_allowed" in says(console, hook)
    shown, edited = operator.get(made).text, operator.get(f"{made}/edit").text
    for text in ("192.0.2.0/24, 2001:db8::/32", "100/min burst 20", "https://app.example.com", "60"):
        assert f"<dd>{text}</dd>" in shown
        assert f'value="{text}"' in edited
    assert re.search(r'name="cors\.credentials" value="true" checked', edited)
    # A form that is older than the rules leaves them.
    operator.post(f"{made}/edit", form())
    assert "address_not_allowed" in says(console, hook)
    operator.post(f"{made}/edit", form(**{"callers.shown": "1"}))
    assert "token of" in says(console, hook)
    assert "Addresses that may call" not in operator.get(made).text


def test_what_is_wrong_with_rules_is_told_beside_them(operator: Operator, made: str) -> None:
    rules = {"callers.shown": "1", "allow_from": "192.0.2.1/24", "rate": "fast", "cors.origins": "*"}
    rules |= {"cors.credentials": "true", "cors.max_age": "soon"}
    answer = operator.post(f"{made}/edit", form(**rules))
    assert answer.status_code == 422
    for field in ("allow_from", "rate", "cors.max_age", "cors.credentials"):
        assert re.search(rf'id="field-{re.escape(field)}"[^>]*aria-invalid="true"', answer.text), field
        assert f'<a href="#field-{field}">' in answer.text
    # It is there to be mended, and not hidden.
    assert "<details open>" in answer.text
    assert 'value="fast"' in answer.text


def test_it_is_switched_off_and_on(console: Console, operator: Operator, made: str) -> None:
    hook = hook_of(operator, made)
    assert operator.post(f"{made}/disable").headers["location"] == made
    assert "endpoint_disabled" in says(console, hook)
    assert "is switched off" in operator.get(made).text
    operator.post(f"{made}/enable")
    assert "token of" in says(console, hook)


def test_it_is_deleted_after_a_question(console: Console, operator: Operator, made: str) -> None:
    hook = hook_of(operator, made)
    assert operator.get(f"{made}/delete").status_code == 200
    assert "token of" in says(console, hook)
    assert operator.post(f"{made}/delete").headers["location"] == "/console/endpoints"
    assert "endpoint_unknown" in says(console, hook)
    assert operator.get(made).status_code == 404


def test_labels_are_in_the_browsers_language_and_else_in_english(operator: Operator) -> None:
    path = f"/console/endpoints/new?plugin={BRIDGE}"
    chinese = operator.get(path, Accept_Language="zh-CN,zh;q=0.9,en;q=0.8").text
    assert '<span lang="zh-Hans">机器人令牌</span>' in chinese
    assert 'placeholder="机器人先说的话"' in chinese
    assert '<option value="us" lang="zh-Hans">美国</option>' in chinese
    # What the plugin has not said in it.
    assert '<span lang="en">Signing secret</span>' in chinese
    portuguese = operator.get(path, Accept_Language="pt-PT").text
    assert "Token do bot" in portuguese
    assert "Criado nas configurações do espaço." in portuguese
    assert "Bot token" in operator.get(path, Accept_Language="de").text


def test_texts_of_plugins_and_people_are_text(operator: Operator) -> None:
    answer = operator.post("/console/endpoints/new", form(bot_token="x", name="<b>&\"'</b>", greeting='"><script>'))
    page = operator.get(answer.headers["location"]).text
    assert "<b>" not in page.replace("<b>operator", "")
    assert "<script>" not in page
    assert "&lt;b&gt;&amp;&#34;&#39;&lt;/b&gt;" in page
    operator.post(f"{answer.headers['location']}/delete")


@pytest.mark.parametrize("path", ["/console/endpoints/none", "/console/endpoints/none/edit", "/console/plugins/a/b"])
def test_what_is_not_there_is_told_so(operator: Operator, path: str) -> None:
    answer = operator.get(path)
    assert answer.status_code == 404
    assert "there is no" in answer.text.lower()


def test_a_plugin_that_is_not_there_has_no_form(operator: Operator) -> None:
    assert operator.get("/console/endpoints/new?plugin=<script>").status_code == 404
    assert operator.post("/console/endpoints/new", {"plugin": "no/body", "name": "x"}).status_code == 404


def test_a_secret_of_a_form_that_is_refused_is_asked_for_again(console: Console, operator: Operator, made: str) -> None:
    """The field is empty, as if what is stored were the one that was entered."""
    refused = operator.post(f"{made}/edit", form(bot_token="the-new-one", name=""))
    assert refused.status_code == 422
    assert "2 things have to be mended" in re.sub(r"\s+", " ", refused.text)
    assert re.search(r'id="field-settings\.bot_token-faults">\s*<li>[^<]*enter it again', refused.text)
    assert "enter it again" not in operator.post(f"{made}/edit", form(name="")).text
    assert f"token of {len(SECRET)}," in says(console, hook_of(operator, made))


def test_a_form_that_was_overtaken_undoes_nothing_without_a_question(
    console: Console, operator: Operator, made: str
) -> None:
    def seen(page: str) -> dict[str, str]:
        found = re.search(r'name="seen" value="([^"]+)"', page)
        assert found
        return {"seen": found[1]}

    opened = seen(operator.get(f"{made}/edit").text)
    assert operator.post(f"{made}/edit", form(region="us", **opened)).status_code == 303
    overtaken = operator.post(f"{made}/edit", form(name="Other", **opened))
    assert overtaken.status_code == 422
    assert "was changed elsewhere" in overtaken.text
    # What was entered is still there, and can be saved by who wants that.
    assert 'value="Other"' in overtaken.text
    assert "region us" in says(console, hook_of(operator, made))
    assert operator.post(f"{made}/edit", form(name="Other", **seen(overtaken.text))).status_code == 303
    assert "region eu" in says(console, hook_of(operator, made))


def test_what_is_no_choice_any_more_does_not_become_another_one(operator: Operator) -> None:
    """Of a required choice without an empty one, browsers would take the first."""
    refused = operator.post("/console/endpoints/new", form(bot_token="x", region="mars")).text
    assert '<option value="mars" selected>mars (not offered any more)</option>' in refused
    assert refused.count(" selected>") == 1


def test_line_breaks_at_the_beginning_of_a_text_stay(operator: Operator, made: str) -> None:
    """The first one behind its tag is none of a textarea's text."""
    operator.post(f"{made}/edit", form(greeting="\n\nHello"))
    assert re.search(r"<textarea [^>]*>\n\n\nHello</textarea>", operator.get(f"{made}/edit").text)


def test_settings_of_a_plugin_that_is_gone_are_not_called_none(
    console: Console, operator: Operator, tmp_path: Path
) -> None:
    note = {"type": "text-input", "required": False, "label": {"en_US": "Note"}}
    folder = write_plugin(tmp_path, "leaves", {"slow.py": SLOW}, [("GET", "/", "slow.py")], {"note": note})
    file = {"package": ("leaves.difypkg", package_of(folder))}
    assert operator.client.post("/console/plugins", data={"csrf": operator.csrf}, files=file).status_code == 303
    made = operator.post("/console/endpoints/new", {"plugin": "test/leaves", "name": "Stays"}).headers["location"]
    console.uninstall("test/leaves")
    edited = operator.get(f"{made}/edit").text
    assert "is not served, so its settings are not known" in edited
    assert "has no settings" not in edited
    operator.post(f"{made}/delete")
