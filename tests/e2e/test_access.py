"""Who gets through, on stacks deployed with `Auth=iam` and `Auth=cognito`: real signatures, real RS256 tokens."""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from appointments.link_keys import LinkKeys
from copies import copied
from local import LocalError
from local.engine import REGION
from pool import ORIGIN, People

if TYPE_CHECKING:
    from local.deploy import Stack
    from local.engine import Engine


class Answer(NamedTuple):
    """Header names in lower case."""

    status: int
    headers: dict[str, str]
    body: Any


def send(stack: Stack, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(stack.api_target + path, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            found = answer.code, answer.headers, answer.read()
    status, names, text = found
    return Answer(status, {name.lower(): value for name, value in names.items()}, json.loads(text or b"null"))


def requests_about(user_id: str, appointment_id: str) -> dict[str, tuple[str, str, Any]]:
    """One request per route about what is this person's."""
    span = {"startTime": "2031-03-03T12:00:00Z", "endTime": "2031-03-03T12:30:00Z", "reminders": []}
    query = "from=2031-03-03T08%3A00%3A00Z&to=2031-03-03T12%3A00%3A00Z&durationMinutes=30"
    return {
        "book": ("POST", "/appointments", {"userId": user_id} | span),
        "list": ("GET", f"/appointments?userId={user_id}", None),
        "get": ("GET", f"/appointments/{appointment_id}", None),
        "change": ("PATCH", f"/appointments/{appointment_id}", {"details": {"title": "changed"}}),
        "settings": ("GET", f"/calendars/{user_id}", None),
        "configure": ("PUT", f"/calendars/{user_id}", {"capacity": 2}),
        "availability": ("GET", f"/availability?calendarIds={user_id}&{query}", None),
        "cancel": ("DELETE", f"/appointments/{appointment_id}", None),
    }


def first_booking(user_id: str) -> dict[str, Any]:
    return {"userId": user_id, "startTime": "2031-03-03T09:00:00Z", "endTime": "2031-03-03T09:30:00Z", "reminders": []}


def test_the_api_is_opened_with_the_local_stage_only(engine: Engine, first_stack: Stack) -> None:
    with pytest.raises(LocalError, match="Auth=none opens the API"):
        copied(engine, first_stack, "appointments-open", {"Auth": "none", "Stage": "dev"})


# --- Auth=iam ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def iam_stack(engine: Engine, first_stack: Stack) -> Stack:
    closed = {"Auth": "iam", "OpenBooking": "off", "HoldsPerAddress": "3"}
    return copied(engine, first_stack, "appointments-iam", closed)


@pytest.fixture(scope="module")
def signed(engine: Engine, iam_stack: Stack) -> Any:
    """Sends requests signed by a principal: one whose policy names this API, and one whose policy names nothing."""
    iam = engine.client("iam")
    api_id = iam_stack.api_target.split("/restapis/")[1].split("/")[0]
    account = engine.client("sts").get_caller_identity()["Account"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "execute-api:Invoke",
                "Resource": f"arn:aws:execute-api:{REGION}:{account}:{api_id}/local/*",
            }
        ],
    }
    credentials = {}
    for name in ("desk", "stranger"):
        iam.create_user(UserName=name)
        if name == "desk":
            iam.put_user_policy(UserName=name, PolicyName="call-the-api", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        credentials[name] = Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def call(who: str, method: str, path: str, body: Any = None, secret: str | None = None) -> Answer:
        mine = credentials[who]
        mine = Credentials(mine.access_key, secret) if secret else mine
        data = None if body is None else json.dumps(body)
        request = AWSRequest(method, iam_stack.api_target + path, data=data)
        SigV4Auth(mine, "execute-api", REGION).add_auth(request)
        return send(iam_stack, method, path, body, dict(request.headers))

    return call


def test_iam_lets_signed_requests_in_by_policy(signed: Any, iam_stack: Stack) -> None:
    user_id = f"user-{uuid.uuid4()}"
    booked = signed("desk", "POST", "/appointments", first_booking(user_id))
    assert booked.status == 201, booked
    requests = requests_about(user_id, booked.body["appointmentId"])
    for name, (method, path, body) in requests.items():
        unsigned = send(iam_stack, method, path, body)
        assert unsigned.status == 403, (name, unsigned)
        assert "appointmentId" not in repr(unsigned.body)
        assert signed("stranger", method, path, body).status == 403, name
        assert signed("desk", method, path, body, secret="not-the-secret").status == 403, name
    assert signed("desk", "GET", f"/appointments/{booked.body['appointmentId']}").body == booked.body
    for name, (method, path, body) in requests.items():
        assert signed("desk", method, path, body).status in (200, 201), name


# --- Auth=cognito ------------------------------------------------------------------------------------


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, payload, signature = token.split(".")
    read = [json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) for text in (header, payload)]
    return read[0], read[1], signature


def token_of(header: dict[str, Any], payload: dict[str, Any], signature: str) -> str:
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload)]
    return ".".join([*texts, signature])


def test_each_route_under_tokens_of_the_pool(people: People, cognito_stack: Stack) -> None:
    names = {name: f"{name}-{uuid.uuid4().hex[:8]}" for name in ("anna", "ben", "clara")}
    anna, ben = people.join(names["anna"]), people.join(names["ben"])
    people.join(names["clara"], scheduler=True)
    headers = {name: bearer(people.tokens(full)["IdToken"]) for name, full in names.items()}
    header, claims, _ = parts_of(headers["anna"]["Authorization"].split()[1])
    assert (header["alg"], claims["sub"], claims["aud"]) == ("RS256", anna, people.client_id)

    booked = send(cognito_stack, "POST", "/appointments", first_booking(anna), headers["anna"])
    assert booked.status == 201, booked
    requests = requests_about(anna, booked.body["appointmentId"])
    for name, (method, path, body) in requests.items():
        anonymous = send(cognito_stack, method, path, body)
        assert anonymous.status == 401, (name, anonymous)
        refused = send(cognito_stack, method, path, body, headers["ben"])
        assert (refused.status, refused.headers["content-type"]) == (403, "application/problem+json"), name
        assert anna not in repr(refused.body)
    read = send(cognito_stack, "GET", f"/appointments/{booked.body['appointmentId']}", None, headers["anna"])
    assert read.body == booked.body
    for name, (method, path, body) in requests.items():
        assert send(cognito_stack, method, path, body, headers["anna"]).status in (200, 201), name
    second = send(cognito_stack, "POST", "/appointments", first_booking(ben), headers["ben"])
    for name, (method, path, body) in requests_about(ben, second.body["appointmentId"]).items():
        assert send(cognito_stack, method, path, body, headers["clara"]).status in (200, 201), name


def test_tokens_that_are_not_good_here(engine: Engine, people: People, cognito_stack: Stack) -> None:
    name = f"dora-{uuid.uuid4().hex[:8]}"
    dora = people.join(name)
    tokens = people.tokens(name)
    good = tokens["IdToken"]
    header, claims, signature = parts_of(good)

    def status(token: str) -> int:
        return send(cognito_stack, "GET", f"/appointments?userId={dora}", None, bearer(token)).status

    assert status(good) == 200
    assert status(token_of(header, claims | {"exp": claims["exp"] + 3600}, signature)) == 401
    assert status(token_of(header, claims | {"cognito:groups": ["schedulers"]}, signature)) == 401
    assert status(token_of(header | {"alg": "none"}, claims, "")) == 401
    assert status(token_of({"alg": "none"}, claims, "")) == 401
    assert status(good[:-8]) == 401
    assert status("nonsense") == 401

    # Expired: a client whose tokens live for two seconds, and otherwise the same.
    brief = people.another_client(IdTokenValidity=2, TokenValidityUnits={"IdToken": "seconds"})
    expired = people.tokens(name, brief)["IdToken"]
    time.sleep(max(0.0, parts_of(expired)[1]["exp"] - time.time()) + 1.1)
    assert status(expired) == 401

    # Wrong audience: the same person of the same pool, signed in to another application.
    assert status(people.tokens(name, people.another_client())["IdToken"]) == 403
    # An access token is for the pool's own API, not for ours.
    assert status(tokens["AccessToken"]) in (401, 403)

    # Wrong issuer: a good token of somebody else's pool, for a person who calls themselves a scheduler there.
    cognito = engine.client("cognito-idp")
    other = People(cognito, cognito.create_user_pool(PoolName="elsewhere")["UserPool"]["Id"], "")
    other.client_id = other.another_client()
    cognito.create_group(UserPoolId=other.pool_id, GroupName="schedulers")
    other.join(name, scheduler=True)
    assert status(other.tokens(name)["IdToken"]) == 401


def test_pages_of_one_origin_are_let_in(people: People, cognito_stack: Stack) -> None:
    asked = send(cognito_stack, "OPTIONS", "/appointments", None, {"Origin": ORIGIN})
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, ORIGIN)
    name = f"emil-{uuid.uuid4().hex[:8]}"
    emil = people.join(name)
    listed = send(cognito_stack, "GET", f"/appointments?userId={emil}", None, bearer(people.tokens(name)["IdToken"]))
    assert (listed.status, listed.headers["access-control-allow-origin"]) == (200, ORIGIN)


# --- links -------------------------------------------------------------------------------------------


def page_of(
    stack: Stack, method: str, path: str, form: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    """What a browser without an account gets."""
    data = None if form is None else urlencode(form).encode()
    request = urllib.request.Request(stack.api_target + path, data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, dict(answer.headers), answer.read().decode()


def link_keys(engine: Engine, stack: Stack) -> LinkKeys:
    """The links of a stack, as whoever writes its messages makes them."""
    found = engine.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId="LinkKey")
    return LinkKeys(engine.client("kms"), found["StackResourceDetail"]["PhysicalResourceId"], stack.api_target)


def use_link(engine: Engine, stack: Stack, appointment_id: str) -> None:
    """Look, confirm, move and cancel by a link, as a stranger who has nothing else."""
    token = link_keys(engine, stack).token_for(appointment_id)
    path = f"/l/{token}"
    status, headers, html = page_of(stack, "GET", path)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8"), html
    assert "March 3, 2031" in html
    assert page_of(stack, "HEAD", path)[::2] == (200, "")
    status, _, html = page_of(stack, "GET", f"{path}?day=2031-03-04")
    assert (status, "2031-03-04T10:00:00Z" in html) == (200, True)
    version = str(int(html.split('name="version" value="')[1].split('"')[0]))
    assert page_of(stack, "POST", path, {"action": "confirm", "version": version})[0] == 200
    assert page_of(stack, "POST", path, {"action": "confirm", "version": version})[0] == 200
    assert page_of(stack, "POST", path, {"action": "move", "startTime": "2031-03-04T10:00:00Z"})[0] == 200
    assert page_of(stack, "POST", path, {"action": "cancel", "version": version})[0] == 409
    assert page_of(stack, "POST", path, {"action": "cancel"})[0] == 200
    assert page_of(stack, "GET", path)[0] == 410
    # No other method, path or token gets in.
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBA")
    assert page_of(stack, "GET", f"/l/{forged}")[0] == 404
    for method, closed in (
        ("DELETE", path),
        ("PATCH", path),
        ("GET", "/l/"),
        ("GET", f"{path}/history"),
        ("GET", f"/l/..%2Fappointments%2F{appointment_id}"),
        ("GET", f"/l/x%2F..%2F..%2Fappointments%2F{appointment_id}"),
        ("GET", f"/appointments/{appointment_id}"),
    ):
        status, _, body = page_of(stack, method, closed)
        assert status in (401, 403, 404), (method, closed, body)
        assert "2031-03" not in body


def test_a_link_works_without_signing_where_all_else_is_signed(engine: Engine, signed: Any, iam_stack: Stack) -> None:
    booked = signed("desk", "POST", "/appointments", first_booking(f"link-{uuid.uuid4()}"))
    assert booked.status == 201, booked
    use_link(engine, iam_stack, booked.body["appointmentId"])


def test_a_link_works_without_a_token_of_the_pool(engine: Engine, people: People, cognito_stack: Stack) -> None:
    name = f"lena-{uuid.uuid4().hex[:8]}"
    lena = people.join(name)
    mine = bearer(people.tokens(name)["IdToken"])
    booked = send(cognito_stack, "POST", "/appointments", first_booking(lena), mine)
    assert booked.status == 201, booked
    use_link(engine, cognito_stack, booked.body["appointmentId"])
    read = send(cognito_stack, "GET", f"/appointments/{booked.body['appointmentId']}", None, mine)
    assert (read.body["status"], read.body["startTime"]) == ("cancelled", "2031-03-04T10:00:00Z")


# --- booking links -----------------------------------------------------------------------------------


def test_a_visitor_books_by_a_booking_link_where_all_else_is_signed(signed: Any, iam_stack: Stack) -> None:
    service, doctor = f"check-up-{uuid.uuid4()}", f"dr-{uuid.uuid4()}"
    steps = {"title": "Check-up", "steps": [{"durationMinutes": 30, "resourceIds": [doctor]}]}
    assert signed("desk", "PUT", f"/services/{service}", steps).status == 200
    asked = {"services": [service], "until": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    assert send(iam_stack, "POST", "/booking-links", asked).status == 403
    made = signed("desk", "POST", "/booking-links", asked)
    assert made.status == 201, made

    def ask(method: str, path: str, body: Any = None, key: str = made.body["key"]) -> Answer:
        """As a stranger, who has nothing but a key."""
        separator = "&" if "?" in path else "?"
        return send(
            iam_stack, method, f"/book/services/{service}{path}" + (f"{separator}key={key}" if key else ""), body
        )

    span = "from=2031-03-03T08%3A00%3A00Z&to=2031-03-03T12%3A00%3A00Z"
    start = {"startTime": "2031-03-03T09:00:00Z"}
    for key, refused in (("", "booking-closed"), (made.body["key"][:-4] + "AAAA", "booking-link-unknown")):
        for method, path, body in (
            ("GET", "", None),
            ("GET", f"/times?{span}", None),
            ("POST", "/appointments", start),
        ):
            answer = ask(method, path, body, key)
            assert (answer.status, answer.body["type"].partition("#")[2]) == (403, refused)
    assert ask("GET", "").body["title"] == "Check-up"
    assert ask("GET", f"/days?{span}").body["days"] == [{"date": "2031-03-03", "available": 8}]
    assert len(ask("GET", f"/times?{span}").body["available"]) == 8
    held = ask("POST", "/appointments", start)
    assert (held.status, held.body["status"]) == (201, "held"), held
    assert ask("POST", "/appointments", start).status == 409
    mine = f"/book/appointments/{held.body['token']}"
    contact = {"contact": {"name": "Anna Vogel", "email": "anna@example.org"}}
    assert send(iam_stack, "PATCH", mine, contact).body["status"] == "scheduled"
    assert send(iam_stack, "DELETE", mine).body["status"] == "scheduled"
    assert send(iam_stack, "GET", mine).body["startTime"] == start["startTime"]
    status, headers, file = page_of(iam_stack, "GET", f"{mine}/calendar")
    assert (status, headers["Content-Type"], "BEGIN:VEVENT" in file) == (200, "text/calendar; charset=utf-8", True)
    # By the counter of its address, which is one here, a stranger asks for so many times and no more.
    assert ask("POST", "/appointments", {"startTime": "2031-03-03T10:00:00Z"}).status == 201
    assert ask("POST", "/appointments", {"startTime": "2031-03-03T11:00:00Z"}).status == 429
    # No other method, path or service gets in.
    for method, closed in (
        ("PUT", f"/book/services/{service}"),
        ("GET", f"/book/..%2Fservices%2F{service}"),
        ("GET", f"/book/services/..%2F..%2Fservices%2F{service}"),
        ("GET", f"/book/../services/{service}"),
        ("GET", f"/services/{service}"),
        ("GET", f"/availability?serviceId={service}&{span}"),
    ):
        answered, _, text = page_of(iam_stack, method, closed)
        assert answered in (403, 404, 405), (method, closed, text)
        assert doctor not in text


# --- pages -------------------------------------------------------------------------------------------


def open_pages(stack: Stack, auth: str, appointment_id: str) -> None:
    """Load all that the pages are made of, as a stranger, and get nowhere else by that."""
    for page in ("desk", "book"):
        status, headers, html = page_of(stack, "GET", f"/{page}")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8"), html
        assert page_of(stack, "HEAD", f"/{page}")[::2] == (200, "")
        named = re.findall(r'="(assets/[^"]+)"', html)
        assert len(named) == 2
        for name in named:
            status, headers, body = page_of(stack, "GET", f"/{name}")
            assert (status, headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
            assert body
    status, _, body = page_of(stack, "GET", "/desk/settings")
    assert (status, json.loads(body)["auth"]) == (200, auth)
    for method, closed in (
        ("POST", "/desk"),
        ("DELETE", "/desk/settings"),
        ("GET", "/desk/nope"),
        ("GET", f"/assets/..%2Fappointments%2F{appointment_id}"),
        ("GET", f"/assets/x%2F..%2F..%2Fappointments%2F{appointment_id}"),
        ("GET", f"/desk/../appointments/{appointment_id}"),
    ):
        status, _, body = page_of(stack, method, closed)
        assert status in (401, 403, 404, 405), (method, closed, body)
        assert "2031-03" not in body


def test_pages_load_without_signing_where_all_else_is_signed(signed: Any, iam_stack: Stack) -> None:
    booked = signed("desk", "POST", "/appointments", first_booking(f"page-{uuid.uuid4()}"))
    open_pages(iam_stack, "iam", booked.body["appointmentId"])


def test_pages_load_without_a_token_of_the_pool(people: People, cognito_stack: Stack) -> None:
    name = f"paul-{uuid.uuid4().hex[:8]}"
    paul = people.join(name)
    mine = bearer(people.tokens(name)["IdToken"])
    booked = send(cognito_stack, "POST", "/appointments", first_booking(paul), mine)
    open_pages(cognito_stack, "cognito", booked.body["appointmentId"])
