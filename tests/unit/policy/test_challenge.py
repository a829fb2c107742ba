"""Challenges that wait for an answer are few, and do not wait for long."""

from __future__ import annotations

import base64
import random

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bacalhau.lib.ids import SeededIds
from bacalhau.policy import challenge
from bacalhau.policy.challenge import LIFETIME_SECONDS, ChallengeError, Challenges

_KEY = rsa.generate_private_key(65537, 2048)


class HandClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def now_ns(self) -> int:
        return int(self.now * 1e9)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def challenges(clock: HandClock) -> Challenges:
    return Challenges(node_id="n-1", clock=clock, ids=SeededIds(random.Random(1)))


def answer(challenges: Challenges, phrase: bytes) -> str:
    public = _KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    )
    signed = _KEY.sign(phrase, padding.PKCS1v15(), hashes.SHA256())
    return challenges.client_id(
        base64.b64encode(public).decode(), base64.b64encode(signed).decode()
    )


def test_a_client_is_named_after_the_modulus_of_its_key(challenges: Challenges) -> None:
    modulus = _KEY.public_key().public_numbers().n.to_bytes(256, "big")
    digest = hashes.Hash(hashes.SHA256())
    digest.update(modulus)
    assert answer(challenges, challenges.phrase()) == digest.finalize().hex()


def test_a_challenge_grows_old(challenges: Challenges, clock: HandClock) -> None:
    in_time, late = challenges.phrase(), challenges.phrase()
    clock.now += LIFETIME_SECONDS - 1
    answer(challenges, in_time)
    clock.now += 1
    with pytest.raises(ChallengeError, match="too old"):
        answer(challenges, late)


def test_newer_challenges_take_the_place_of_older_ones(
    challenges: Challenges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenge, "OPEN_LIMIT", 2)
    first, second, third = (challenges.phrase() for _ in range(3))
    with pytest.raises(ChallengeError, match="unknown"):
        answer(challenges, first)
    answer(challenges, second)
    answer(challenges, third)
