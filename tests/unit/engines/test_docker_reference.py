"""Names of images, as Docker reads them."""

from __future__ import annotations

import pytest

from bacalhau.models.specs.images import parse_reference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
        ("team/tool", "docker.io/team/tool:latest"),
        ("index.docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
        ("docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
        ("ghcr.io/tool", "ghcr.io/tool:latest"),
        ("ghcr.io/org/tool:v1.2-rc_3", "ghcr.io/org/tool:v1.2-rc_3"),
        ("localhost/tool", "localhost/tool:latest"),
        ("host:5000/tool", "host:5000/tool:latest"),
        ("127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000/a/b/c:x"),
        ("[::1]:5000/tool", "[::1]:5000/tool:latest"),
        ("Host/tool", "Host/tool:latest"),
        ("a__b/c---d/e.f", "docker.io/a__b/c---d/e.f:latest"),
        (f"ubuntu@{DIGEST}", f"docker.io/library/ubuntu@{DIGEST}"),
        (f"ubuntu:1@{DIGEST}", f"docker.io/library/ubuntu:1@{DIGEST}"),
    ],
)
def test_what_is_left_out_is_filled_in(image: str, full: str) -> None:
    assert str(parse_reference(image)) == full


@pytest.mark.parametrize(
    "image",
    [
        "",
        " ubuntu",
        "ubuntu ",
        "Ubuntu",
        "-tool",
        "a//b",
        "tool:",
        "tool:-x",
        "tool@sha256:123",
        "https://host/tool",
        "../tool",
        "tool\n",
        "a" * 256,
        "tool:" + "x" * 129,
    ],
)
def test_what_is_no_name_is_refused(image: str) -> None:
    assert parse_reference(image) is None
