"""What servers answer, down to the gaps and oddities that are seen in the wild."""

from __future__ import annotations

import pytest

from bacalhau.s3.requests.responses import (
    ListingPage,
    MalformedResponseError,
    ServiceError,
    completion_error,
    completion_request,
    parse_error,
    parse_facts,
    parse_listing,
    parse_upload_id,
    parse_uploads,
)

NAMESPACE = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'


def page(content: str) -> ListingPage:
    return parse_listing(f"<ListBucketResult>{content}</ListBucketResult>".encode())


def test_listing_as_aws_writes_it() -> None:
    body = NAMESPACE + (
        b"<Name>b</Name><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        b"<Contents><Key>a+b%2Bc/%C3%A9</Key><ETag>&quot;e&quot;</ETag><Size>12</Size></Contents>"
        b"<NextContinuationToken>t/1=</NextContinuationToken></ListBucketResult>"
    )
    listing = parse_listing(body)
    (item,) = listing.objects
    assert (item.key, item.size_bytes, item.etag) == ("a b+c/é", 12, '"e"')
    assert listing.next_token == "t/1="


def test_keys_are_taken_as_they_are_without_an_encoding() -> None:
    assert page("<Contents><Key>a%20b+c</Key></Contents>").objects[0].key == "a%20b+c"


@pytest.mark.parametrize("size", ["", "-1", "x", "²", "9" * 30])
def test_size_that_is_none_is_unknown(size: str) -> None:
    listing = page(f"<Contents><Key>a</Key><Size>{size}</Size></Contents>")
    assert listing.objects[0].size_bytes is None


def test_end_of_a_listing() -> None:
    token = "<NextContinuationToken>t</NextContinuationToken>"
    assert page(token).next_token == ""
    assert page(f"<IsTruncated>false</IsTruncated>{token}").next_token == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"<html></html>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        b"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%FF</Key></Contents>"
        b"</ListBucketResult>",
    ],
)
def test_answers_that_are_no_listing(body: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        parse_listing(body)


def test_error_with_a_body() -> None:
    body = (
        b"<Error><Code>NoSuchBucket</Code><Message>The bucket does not exist</Message>"
        b"<RequestId>R</RequestId><Region>eu-west-1</Region></Error>"
    )
    error = parse_error("ListObjectsV2", 404, {}, body)
    assert (error.code, error.reason, error.request_id, error.region) == (
        "NoSuchBucket",
        "The bucket does not exist",
        "R",
        "eu-west-1",
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "NotFound"), (403, "Forbidden"), (405, "MethodNotAllowed"), (418, "UnknownError")],
)
@pytest.mark.parametrize("body", [b"", b"<html>no</body>"])
def test_error_without_a_useful_body(status: int, code: str, body: bytes) -> None:
    headers = {"x-amz-request-id": "R", "x-amz-bucket-region": "eu-west-1"}
    error = parse_error("HeadObject", status, headers, body)
    assert (error.code, error.request_id, error.region) == (code, "R", "eu-west-1")


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [
        (503, "SlowDown", True),
        (500, "UnknownError", True),
        (400, "RequestTimeout", True),
        (0, "ServiceUnavailable", True),
        (403, "AccessDenied", False),
        (404, "NoSuchKey", False),
        (400, "InvalidRequest", False),
    ],
)
def test_what_is_worth_another_attempt(status: int, code: str, transient: bool) -> None:
    error = ServiceError(operation="GetObject", status=status, code=code)
    assert error.is_transient is transient


def test_facts_of_an_object() -> None:
    headers = {"Content-Length": "5", "ETag": '"e"', "x-amz-version-id": "null"}
    facts = parse_facts(headers)
    assert (facts.size_bytes, facts.etag, facts.version, facts.content_type) == (5, '"e"', "", None)
    with pytest.raises(MalformedResponseError):
        parse_facts({})


def test_multipart_upload() -> None:
    began = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    assert parse_upload_id(began) == "u"
    with pytest.raises(MalformedResponseError):
        parse_upload_id(b"<InitiateMultipartUploadResult/>")
    assert completion_request([('"1"', ""), ('"2"', "c=")]) == (
        b"<CompleteMultipartUpload>"
        b'<Part><PartNumber>1</PartNumber><ETag>"1"</ETag></Part>'
        b'<Part><PartNumber>2</PartNumber><ETag>"2"</ETag>'
        b"<ChecksumSHA256>c=</ChecksumSHA256></Part>"
        b"</CompleteMultipartUpload>"
    )


def test_uploads_that_were_not_completed() -> None:
    body = (
        b'<ListMultipartUploadsResult xmlns="urn:s3"><Prefix>a</Prefix>'
        b"<Upload><Key>a b/%2F+</Key><UploadId>u</UploadId></Upload></ListMultipartUploadsResult>"
    )
    assert parse_uploads(body) == [("a b/%2F+", "u")]
    with pytest.raises(MalformedResponseError):
        parse_uploads(b"<Error/>")


def test_success_that_is_an_error_after_all() -> None:
    """S3 answers 200 before it has joined the parts."""
    assert completion_error("CompleteMultipartUpload", b"<CompleteMultipartUploadResult/>") is None
    body = b"<Error><Code>InternalError</Code></Error>"
    error = completion_error("CompleteMultipartUpload", body)
    assert error is not None
    assert error.code == "InternalError"
    assert error.is_transient
