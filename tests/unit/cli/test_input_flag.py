"""The grammar of ``-i``, row by row of the table in the storage specification, section 2.2."""

from __future__ import annotations

import pytest

from bacalhau.cli.flags.inputs import number_aliases, read_input

SEVEN = {"Bucket", "Key", "Filter", "Region", "Endpoint", "VersionID", "ChecksumSHA256"}


@pytest.mark.parametrize(
    ("text", "bucket", "key", "target"),
    [
        ("s3://myBucket/dir/file-001.txt", "myBucket", "dir/file-001.txt", "/inputs"),
        ("s3://b/dir:file:001.txt:/mount/path", "b", "dir:file:001.txt", "/mount/path"),
        ("src=s3://b/a:b.txt,dst=/x", "b", "a:b.txt", "/x"),
        ("s3://b", "b", "", "/inputs"),
        ("s3://b/", "b", "", "/inputs"),
        ("s3://b/*", "b", "*", "/inputs"),
        ("s3://b/%2Fabs", "b", "abs", "/inputs"),
        ("s3://b/a b.txt", "b", "a b.txt", "/inputs"),
        ("s3://b/a%20b.txt", "b", "a b.txt", "/inputs"),
        ("s3://b/a+b", "b", "a+b", "/inputs"),
        ("s3://b/dt=2024-01-01/", "b", "dt=2024-01-01/", "/inputs"),
        ("src=s3://b/dt=2024-01-01/,dst=/d", "b", "dt=2024-01-01/", "/d"),
        ("S3://B/K", "B", "K", "/inputs"),
        ("src=s3://b/k, dst=/x", "b", "k", "/x"),
        ('src=s3://b/p/,dst=/d,"opt=filter=a{1,3}"', "b", "p/", "/d"),
        ("src=s3://b/p/,opt=filter=a=b", "b", "p/", "/inputs"),
    ],
)
def test_s3_locations(text: str, bucket: str, key: str, target: str) -> None:
    source = read_input(text)
    assert source.source.type == "s3"
    assert (source.source.params["Bucket"], source.source.params["Key"]) == (bucket, key)
    assert source.target == target
    assert set(source.source.params) == SEVEN


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("dst=/inputs", "it names no source"),
        ("src=s3://b/a,src=s3://b/c,dst=/x", "src is given twice"),
        ("s3://b/a,dst=/x,dst=/y", "dst is given twice"),
        ("s3://b/a,src=s3://b/c", "two sources"),
        ("s3://b/a,dst=/x,target=/y", "two targets"),
        ("s3://b/a%zz", 'invalid URL escape "%zz"'),
        ("s3://b/100%.txt", "write %25"),
        ("s3://b/a:b.txt", "write src=s3://b/a:b.txt,dst=/inputs"),
        ("s3://b:9000/x", '"9000/x" behind the last colon'),
        ("s3://user:pw@b/x", '"pw@b/x" behind the last colon'),
        ("s3://b/a/:/inputs:ro", '"ro" behind the last colon'),
        ("s3://b/a?x=1", "write %3F"),
        ("s3://b/a?x", "write %3F"),
        ("s3://b/a#b", "write %23"),
        ("s3://b//abs", "starts with a slash"),
        ("s3:b/k", "write s3://b/k"),
        ("src=s3:b/k,foo=1", "unexpected key foo in field foo=1"),
        ("src=s3:///k", "needs a bucket"),
        ("s3://b/k,/x", "invalid storage option: /x. Must be a key=value pair"),
        ("s3://b/k,opt=colour=red", 'unknown option "colour" for storage s3'),
        ('s3://b/k"x', 'bare " in non-quoted field'),
        ("git://host/repo", "unsupported type: git"),
        ("gitlfs://host/repo", "unsupported type: gitlfs"),
        ("QmX:/data", "unknown storage schema: qmx"),
        ("/a:/b", "unknown storage schema"),
        ("https://e.com", "URL must end with a file name"),
        ("file://", "needs a path"),
        ("file:///p:/q,opt=mode=1", "unknown option mode"),
        ("file:///p:/q,opt=rw=perhaps", "neither true nor false"),
        ("file:///p:/q,opt=rw", "neither true nor false"),
        ("file:///p:/q,opt=create-as=dir", "unknown option create-as"),
        ("s3://b/k,opt=partition-start-index=x", "not a whole number"),
        ("s3://b/%ff", "not UTF-8"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_input(text)
    assert reason in str(caught.value)


def test_options_do_not_mind_case_and_the_last_wins() -> None:
    source = read_input(
        "s3://b/k:/d,opt=region=eu-west-1,option=Endpoint=http://127.0.0.1:9000,opt=versionid=v1,"
        "opt=checksum-sha256=abc,opt=region=us-east-1,opt==ignored,opt=filter"
    )
    assert source.source.params == {
        "Bucket": "b",
        "Key": "k",
        "Filter": "",
        "Region": "us-east-1",
        "Endpoint": "http://127.0.0.1:9000",
        "VersionID": "v1",
        "ChecksumSHA256": "abc",
    }


def test_options_that_only_we_have() -> None:
    source = read_input(
        "s3://b/k*:/d,opt=request-payer=requester,opt=anonymous=true,opt=addressing-style=path,"
        "opt=partition-type=substring,opt=partition-start-index=0,opt=partition-end-index=4"
    )
    params = source.source.params
    assert params["RequestPayer"] == "requester"
    assert params["Anonymous"] is True
    assert params["AddressingStyle"] == "path"
    assert params["Partition"] == {"Type": "substring", "StartIndex": 0, "EndIndex": 4}


@pytest.mark.parametrize(
    ("text", "url", "target"),
    [
        ("https://e.com:9000/f:/m", "https://e.com:9000/f", "/m"),
        ("https://e.com:9000/f", "https://e.com:9000/f", "/inputs"),
        ("https://e.com/", "https://e.com/", "/inputs"),
        ("https://e.com/f?x=1&y=12:30", "https://e.com/f?x=1&y=12:30", "/inputs"),
        ("src=https://e.com/f?x=1,dst=/m", "https://e.com/f?x=1", "/m"),
        ("HTTP://e.com/f", "HTTP://e.com/f", "/inputs"),
    ],
)
def test_urls(text: str, url: str, target: str) -> None:
    source = read_input(text)
    assert source.source.type == "urlDownload"
    assert source.source.params == {"URL": url}
    assert source.target == target
    assert source.alias == url


def test_ipfs() -> None:
    source = read_input("ipfs://QmZTYpWcQcjDXfkkYdoNLQCRo4KFCSA1pXJFqKMQRmVZBL:/data")
    assert source.source.type == "ipfs"
    assert source.source.params == {"CID": "QmZTYpWcQcjDXfkkYdoNLQCRo4KFCSA1pXJFqKMQRmVZBL"}
    assert source.target == "/data"


@pytest.mark.parametrize(
    ("text", "path", "target", "writable"),
    [
        ("file:///p/a%20b:/q,opt=rw=true", "/p/a b", "/q", True),
        ("file:///p", "/p", "/inputs", False),
        ("FILE:///p:/q", "/p", "/q", False),
        ("file:///p/a:b:/q", "/p/a:b", "/q", False),
        ("src=file:///p/a:b,dst=/q", "/p/a:b", "/q", False),
        ("file:///p/what?#1", "/p/what?#1", "/inputs", False),
        ("file://rel/x:/q", "rel/x", "/q", False),
        ("file:///p:/q,opt=read-write=1", "/p", "/q", True),
        ("file:///p:/q,opt=read_write=T", "/p", "/q", True),
        ("file:///p:/q,opt=ReadWrite=0,opt=readwrite=True", "/p", "/q", True),
        ("file:///p:/q,opt=rw=f", "/p", "/q", False),
    ],
)
def test_local_directories(text: str, path: str, target: str, writable: bool) -> None:
    source = read_input(text)
    assert source.source.type == "localDirectory"
    assert source.source.params == {"SourcePath": path, "ReadWrite": writable}
    assert source.target == target


def test_an_explicit_target_wins_and_leaves_colons_of_the_key_alone() -> None:
    assert read_input("s3://b/k:/a,dst=/c").target == "/c"
    source = read_input("s3://b/a:b.txt,dst=/c")
    assert source.source.params["Key"] == "a:b.txt"


def test_the_same_location_twice_gets_two_aliases() -> None:
    sources = [read_input("s3://b/k:/a"), read_input("s3://b/k:/b"), read_input("s3://b/l:/c")]
    assert [s.alias for s in number_aliases(sources)] == ["s3://b/k", "s3://b/k#2", "s3://b/l"]
