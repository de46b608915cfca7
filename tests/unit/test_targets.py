"""Where a webhook may go: every form of an address that is not public is refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from addresses import NOT_PUBLIC
from appointments.targets import MAX_URL, Target, TargetError, Targets, is_public, parse_target

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.1 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
2001:200:: 2001:4860:4860::8888 2003:: 2606:4700:4700::1111 2a00:1450:4001:: 2600:1f18::1
"""

# By the message: the beginning of what the caller is told.
REFUSED = {
    "must begin with https://": (
        "", "http://example.com", "ftp://example.com", "file:///etc/passwd", "gopher://example.com", "//example.com",
        "example.com", "HTTP://example.com/", "javascript:alert(1)", "unix:/run/docker.sock", "http://127.0.0.1",
    ),
    "must have port 443": (
        "https://example.com:80/", "https://example.com:8443", "https://example.com:22", "https://example.com:0",
        "https://127.0.0.1:9000",
    ),
    "must not contain a user name": (
        "https://user:word@example.com/", "https://user@example.com", "https://@example.com",
        "https://example.com@127.0.0.1/", "https://example.com:443@10.0.0.1/",
    ),
    "must be ASCII without spaces": (
        "https://exa mple.com", "https://example.com/\n", "\thttps://example.com", "https://exämple.com",
        "https://example.com\\@127.0.0.1", "https://ⓔxample.com", "https://127。0。0。1", "https://example.com/ä",
    ),
    "must not have a fragment": ("https://example.com/#here",),
    "is not a URL": (
        "https://example.com:port", "https://example.com:99999", "https://[::1", "https://fe80::1/", "https://[1.2.3]/",
        "https://[fe80::1%25eth0]/", "https://[2606:4700::1%25eth0]/", "https://[2606:4700::1%eth0]/",
        "https://[2606:4700::1]x/", "https://[2606:4700::1].example.com/",
    ),
    "must name a host on the public internet, such": (
        "https://", "https:///path", "https://localhost/", "https://LOCALHOST", "https://localhost./",
        "https://a.localhost", "https://printer.local", "https://host.internal/", "https://metadata.google.internal",
        "https://router.home.arpa", "https://intranet/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1",
        "https://0177.0.0.1/", "https://017700000001", "https://127.1", "https://127.0.1", "https://0/",
        "https://127.0.0.1.1", "https://1.2.3.256", "https://a.0x7f", "https://a.1", "https://%31%32%37.0.0.1/",
        "https://a..example.com", "https://.example.com", "https://-a.example.com", "https://a-.example.com",
        "https://example.com..", f"https://{'a' * 64}.com", f"https://{'a.' * 130}com", "https://a,b.example.com",
        "https://a/../../b", "https://127.0.0.1%2f.example.com/",
    ),
    "must name a host on the public internet; this": (
        "https://127.0.0.1", "https://127.0.0.1:443/", "https://169.254.169.254/latest/meta-data/", "https://10.0.0.1",
        "https://[::1]/", "https://[::ffff:127.0.0.1]", "https://[::ffff:7f00:1]", "https://[64:ff9b::7f00:1]",
        "https://[2002:7f00:1::]/", "https://[fd00:ec2::254]/", "https://[::]",
        "https://192.168.1.1./",
    ),
}  # fmt: skip
CASES = [(url, told) for told, urls in REFUSED.items() for url in urls]


@pytest.mark.parametrize("text", NOT_PUBLIC.split())
def test_what_is_no_machine_on_the_internet_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))
    url = f"https://[{text}]/" if ":" in text else f"https://{text}/"
    with pytest.raises(TargetError):
        parse_target(url, Targets.PUBLIC)


@pytest.mark.parametrize("text", PUBLIC.split())
def test_what_lies_beside_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(("url", "told"), CASES)
def test_a_url_that_goes_elsewhere_is_refused_and_the_caller_told_why(url: str, told: str) -> None:
    with pytest.raises(TargetError, match="^" + told.replace("(", r"\(")):
        parse_target(url, Targets.PUBLIC)


def test_a_url_on_the_internet_is_read() -> None:
    assert parse_target("https://Hooks.Example.com", Targets.PUBLIC) == Target("https", "hooks.example.com", 443, "/")
    target = parse_target("https://a_b.example.co.uk.:443/in?key=1&b=%20", Targets.PUBLIC)
    assert target == Target("https", "a_b.example.co.uk", 443, "/in?key=1&b=%20")
    assert parse_target("https://xn--exmple-cua.com/", Targets.PUBLIC).host == "xn--exmple-cua.com"
    assert parse_target("https://1.1.1.1/", Targets.PUBLIC).host_header == "1.1.1.1"
    six = parse_target("https://[2606:4700:4700::1111]/", Targets.PUBLIC)
    assert (six.host, six.host_header) == ("2606:4700:4700::1111", "[2606:4700:4700::1111]")
    longest = "https://example.com/" + "x" * (MAX_URL - 20)
    assert parse_target(longest, Targets.PUBLIC).path == "/" + "x" * (MAX_URL - 20)
    with pytest.raises(TargetError, match="at most"):
        parse_target(longest + "x", Targets.PUBLIC)


def test_the_local_stack_calls_this_machine_beside_and_nothing_else_that_is_not_public() -> None:
    local = parse_target("http://127.0.0.1:8000/in", Targets.LOOPBACK)
    assert local == Target("http", "127.0.0.1", 8000, "/in")
    assert (local.is_loopback, local.host_header) == (True, "127.0.0.1:8000")
    assert parse_target("http://127.0.0.1", Targets.LOOPBACK).port == 80
    assert parse_target("https://127.0.0.1/", Targets.LOOPBACK).port == 443
    assert not parse_target("https://example.com/", Targets.LOOPBACK).is_loopback
    for url in [url for url, _ in CASES if "//127.0.0.1" not in url] + ["http://localhost:1", "http://127.0.0.2:80/"]:
        with pytest.raises(TargetError):
            parse_target(url, Targets.LOOPBACK)
    for url in ("http://u@127.0.0.1/", "ftp://127.0.0.1/", "http://127.0.0.1/#x", "http://127.0.0.1:70000/"):
        with pytest.raises(TargetError):
            parse_target(url, Targets.LOOPBACK)
