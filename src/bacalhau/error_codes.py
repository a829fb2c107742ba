"""The catalogue of errors: every code with what it means and what to do (docs/reference/errors.md).

A row is the only way to a code: errors take a :class:`Code`, so none can be forgotten here, and
the page of the documentation is made from these rows. Codes that Bacalhau v1.5 has keep its names.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import NewType, Self

ForeignCode = NewType("ForeignCode", str)
"""A code that is not ours: of an S3 server, of a server newer than this program, of a plug-in."""


class Area(Enum):
    """Where an error comes from; the value is the heading in the documentation."""

    ANY = "Anywhere"
    ACCESS = "Getting at the server"
    JOB = "Scheduling and running jobs"
    NODE = "The node"
    DOCKER = "Docker"
    WASM = "WebAssembly"
    DATA = "Inputs and results"
    S3 = "S3"


@unique
class Code(StrEnum):
    """What kind of error it is. The value is what clients see; it never changes.

    Attributes:
        area: Where it comes from.
        cause: What has happened, as a sentence.
        remedy: What to do about it, as a sentence. A single error's hint says it more closely.
    """

    area: Area
    cause: str
    remedy: str

    def __new__(cls, code: str, area: Area, cause: str, remedy: str) -> Self:
        """Make a row; see the attributes."""
        row = str.__new__(cls, code)
        row._value_ = code
        row.area = area
        row.cause = cause
        row.remedy = remedy
        return row

    # -- anywhere ----------------------------------------------------------------------

    BAD_REQUEST = (
        "BadRequest",
        Area.ANY,
        "Something in the command line or the request is not as it must be.",
        "Correct what the message names; its hint says what is accepted.",
    )
    VALIDATION = (
        "ValidationError",
        Area.ANY,
        "A job or another document has problems; each is on a line of its own, with its field.",
        "Correct the fields named; `bacalhau job validate FILE` checks without a server.",
    )
    NOT_FOUND = (
        "NotFound",
        Area.ANY,
        "There is no such job, execution, node, file or object.",
        "Compare the name with the output of `bacalhau job list` or `bacalhau node list`.",
    )
    MULTIPLE_FOUND = (
        "MultipleFound",
        Area.ANY,
        "A shortened name fits several things.",
        "Give more of the name, or all of it.",
    )
    IN_USE = (
        "ResourceInUse",
        Area.ANY,
        "There is something of that name already, or it is not in a state that allows this.",
        "Choose another name, or look at what is there first.",
    )
    FORBIDDEN = (
        "Forbidden",
        Area.ANY,
        "The server understood, and does not allow it.",
        "Use credentials that may do this, or ask the operator; the hint names the setting.",
    )
    NOT_IMPLEMENTED = (
        "NotImplemented",
        Area.ANY,
        "This program, or this node, does not offer what was asked for.",
        "See what nodes offer with `bacalhau node describe NODE`.",
    )
    UNAVAILABLE = (
        "ServiceUnavailable",
        Area.ANY,
        "Something that is needed does not answer, or has too much to do.",
        "Try again in a moment; if it stays so, check the service that the message names.",
    )
    INTERNAL = (
        "InternalError",
        Area.ANY,
        "A defect of the program or of a plug-in.",
        "Report it with the output of the same command under DEBUG=true, and the node's log.",
    )

    # -- getting at the server ---------------------------------------------------------

    NETWORK_FAILURE = (
        "NetworkFailure",
        Area.ACCESS,
        "The server cannot be reached, or the connection broke off.",
        "Start a server with `bacalhau serve`, or name another with --api-host and --api-port.",
    )
    TIMED_OUT = (
        "TimeOut",
        Area.ACCESS,
        "The server did not answer in time, or a download took longer than allowed.",
        "Try again; for downloads raise --download-timeout-secs: what is there is kept.",
    )
    UNAUTHORIZED = (
        "Unauthorized",
        Area.ACCESS,
        "The server wants to know who is asking, or did not accept the proof.",
        "Log in again; for Docker registries on the node, by docker login or its settings.",
    )
    TOO_LARGE = (
        "RequestTooLarge",
        Area.ACCESS,
        "A request is larger than the server accepts.",
        "Put large inputs into S3 or behind a URL instead of into the job.",
    )
    MEDIA_TYPE = (
        "UnsupportedMediaType",
        Area.ACCESS,
        "The body of a request is encoded in a way that the server does not read, such as gzip.",
        "Send the body as it is, without Content-Encoding; check what a proxy does to it.",
    )
    EXHAUSTED = (
        "ResourceExhausted",
        Area.ACCESS,
        "There are more requests than allowed, or a node has less room than it had for its bid.",
        "Send fewer requests a second; a job is placed elsewhere without anybody's help.",
    )
    DECODE = (
        "DecodeError",
        Area.ACCESS,
        "An answer of the server is not what this program understands.",
        "Check with `bacalhau version` that client and server fit together.",
    )
    LOG_STREAM = (
        "LogStreamFailed",
        Area.ACCESS,
        "The server ended a stream of output with an error.",
        "Run `bacalhau job logs` again; the node keeps the output.",
    )
    MULTIPLE_JOBS = (
        "MultipleJobsFound",
        Area.ACCESS,
        "A shortened job id fits several jobs.",
        "Give more of the id, or all of it.",
    )
    MULTIPLE_EXECUTIONS = (
        "MultipleExecutionsFound",
        Area.ACCESS,
        "A shortened execution id fits several executions.",
        "Give more of the id, or all of it.",
    )
    MULTIPLE_NODES = (
        "MultipleNodesFound",
        Area.ACCESS,
        "A shortened node id fits several nodes.",
        "Give more of the id, or all of it.",
    )
    JOB_STATE = (
        "ConflictJobState",
        Area.ACCESS,
        "The job has ended, so that it cannot be stopped.",
        "Look at how it ended with `bacalhau job describe JOB`.",
    )
    NODE_STATE = (
        "ConflictNodeState",
        Area.ACCESS,
        "The node's membership does not allow the decision.",
        "Look at the node with `bacalhau node list`.",
    )
    CONCURRENT_UPDATE = (
        "ConcurrentUpdate",
        Area.ACCESS,
        "Something changed between reading and writing it.",
        "Do it again.",
    )

    # -- scheduling and running jobs ---------------------------------------------------

    NOT_ENOUGH_NODES = (
        "NotEnoughNodes",
        Area.JOB,
        "Fewer nodes than the job needs can run it; the message counts them by reason.",
        "Change what the reasons name in the job, or add a node that offers it.",
    )
    JOB_TIMEOUT = (
        "JobTimeout",
        Area.JOB,
        "The job took longer than its TotalTimeout.",
        "Raise Timeouts.TotalTimeout of the task, or give it more resources.",
    )
    EXECUTION_TIMEOUT = (
        "ExecutionTimeout",
        Area.JOB,
        "An execution took longer than its ExecutionTimeout.",
        "Raise Timeouts.ExecutionTimeout of the task, or give it more resources.",
    )
    EXECUTION_FAILED = (
        "ExecutionFailed",
        Area.JOB,
        "The task could not be started, or ended in a way that is no result.",
        "Read its output with `bacalhau job logs JOB`; the hint names what to correct.",
    )
    UNSUITABLE_NODE = (
        "UnsuitableNode",
        Area.JOB,
        "One node cannot give the job what it asks for; others are asked.",
        "If no node can, change the job, or give a node what the message names.",
    )

    # -- the node ----------------------------------------------------------------------

    CONFIGURATION = (
        "ConfigurationError",
        Area.NODE,
        "A setting is wrong, or the machine does not allow what it says.",
        "Correct the key that is named; `bacalhau config list` shows what counts.",
    )
    PROBE_FAILED = (
        "ProbeFailed",
        Area.NODE,
        "The service that decides which jobs a node takes does not answer.",
        "Check JobAdmissionControl.ProbeHTTP of the node, and the service behind it.",
    )
    DISK = (
        "DiskError",
        Area.NODE,
        "The disk of the node refused to read or write.",
        "Check free space and permissions of the node's data directory.",
    )
    IO = (
        "IOError",
        Area.NODE,
        "The output or the compiled module of a task could not be written.",
        "Check free space and permissions of the node's data directory.",
    )
    STORE_MISSING = (
        "StoreMissing",
        Area.NODE,
        "The file of a store was removed, emptied or exchanged, while the node ran or before it.",
        "Stop the node and put the data directory back from a copy; the hint says how to begin "
        "anew.",
    )
    STORE_DAMAGED = (
        "StoreDamaged",
        Area.NODE,
        "The file of a store is damaged, or holds something else.",
        "Stop the node, move the file and those beside it aside, and put back a copy.",
    )
    DISK_SPACE = (
        "InsufficientDiskSpace",
        Area.NODE,
        "The inputs are larger than the room on the node's disk.",
        "Free space on the node, or ask for more with Resources.Disk to reach another one.",
    )

    # -- Docker ------------------------------------------------------------------------

    IMAGE_NOT_FOUND = (
        "ImageNotFound",
        Area.DOCKER,
        "The registry has no such image, or does not show it to this node.",
        "Check the image's name; for a private one log in on the node, as by docker login.",
    )
    IMAGE_PLATFORM = (
        "ImagePlatform",
        Area.DOCKER,
        "The image is made for machines of another kind than the node.",
        "Build it for the node's platform; where that is emulated, set"
        " Engines.Types.Docker.ExtraPlatforms.",
    )
    IMAGE_INVALID = (
        "ImageInvalid",
        Area.DOCKER,
        "The name of the image is not one that Docker understands.",
        "Write [REGISTRY/]NAME[:TAG][@DIGEST] in lower case.",
    )
    TOO_MANY_REQUESTS = (
        "TooManyRequests",
        Area.DOCKER,
        "The registry limits how often images are pulled.",
        "Wait, or log in on the node, as by docker login.",
    )
    MEMORY_EXCEEDED = (
        "MemoryLimitExceeded",
        Area.DOCKER,
        "The task was ended because it used more memory than it had asked for.",
        "Raise Resources.Memory of the task.",
    )
    DISK_EXCEEDED = (
        "DiskLimitExceeded",
        Area.JOB,
        "The task was ended because it wrote more than it had asked for.",
        "Raise Resources.Disk of the task.",
    )
    CONTAINER_NOT_FOUND = (
        "ContainerNotFound",
        Area.DOCKER,
        "Somebody removed the container of a task.",
        "Nothing: the job is run again. Leave containers of running tasks alone.",
    )
    DAEMON_RESTARTED = (
        "DaemonRestarted",
        Area.DOCKER,
        "The Docker daemon was restarted and ended the task.",
        "Nothing: the job is run again. Daemons with `live-restore` keep their tasks.",
    )
    DEADLINE = (
        "Deadline",
        Area.DOCKER,
        "The Docker daemon did not answer in time.",
        "Check on the node that the daemon is well, and how busy it is.",
    )
    DOCKER_UNAVAILABLE = (
        "Unavailable",
        Area.DOCKER,
        "The Docker daemon cannot be reached.",
        "Check on the node that it runs, and DOCKER_HOST.",
    )
    INVALID_PARAMETER = (
        "InvalidParameter",
        Area.DOCKER,
        "The Docker daemon does not accept a parameter of the task.",
        "Correct what the daemon names in the engine's Params.",
    )
    CONFLICT = (
        "Conflict",
        Area.DOCKER,
        "The Docker daemon has something of that name, or it is in another state.",
        "Look at the node's containers with `docker ps --all`.",
    )
    SYSTEM = (
        "SystemError",
        Area.DOCKER,
        "The Docker daemon, or the registry behind it, has a problem of its own.",
        "Check that the node reaches the image's registry, and the daemon's log.",
    )
    UNKNOWN = (
        "UnknownError",
        Area.DOCKER,
        "Docker or an S3 server answered something that says nothing more.",
        "Look at the log of that server.",
    )

    # -- WebAssembly -------------------------------------------------------------------

    MODULE_NOT_FOUND = (
        "ModuleNotFound",
        Area.WASM,
        "There is no module where EntryModule or ImportModules say.",
        "Name one .wasm file; a directory must hold exactly one.",
    )
    MODULE_LOAD = (
        "ModuleLoadError",
        Area.WASM,
        "The module could not be read or linked.",
        "Check that it is a WebAssembly module, and that ImportModules name what it imports.",
    )
    MODULE_COMPILE = (
        "ModuleCompileError",
        Area.WASM,
        "The module is damaged, or uses features that are not offered.",
        "Check it with `bacalhau wasm validate FILE`.",
    )
    UNKNOWN_MODULE = (
        "UnknownModuleError",
        Area.WASM,
        "The module imports something that nobody provides.",
        "Give the module that provides it with ImportModules.",
    )
    ENTRYPOINT = (
        "EntrypointError",
        Area.WASM,
        "The module does not export the function that is to be called.",
        "Name an exported function with EntryPoint; most compilers export _start.",
    )
    MEMORY_LIMIT = (
        "MemoryLimitError",
        Area.WASM,
        "The module needs more memory than the task has asked for.",
        "Raise Resources.Memory of the task.",
    )
    FILESYSTEM = (
        "FilesystemError",
        Area.WASM,
        "Inputs or result paths cannot be shown to the module as the job says.",
        "Correct the path that is named; each needs a place of its own.",
    )

    # -- inputs and results ------------------------------------------------------------

    VOLUME_NOT_ALLOWED = (
        "VolumeNotAllowed",
        Area.DATA,
        "The node's operator has not released this path to jobs.",
        "Ask the operator to add it to Compute.AllowListedLocalPaths.",
    )
    VOLUME_NOT_FOUND = (
        "VolumeNotFound",
        Area.DATA,
        "The node has no such file or directory.",
        "Correct SourcePath, or constrain the job to nodes that have it.",
    )
    VOLUME_NOT_USABLE = (
        "VolumeNotUsable",
        Area.DATA,
        "The path is there, and is not what the job takes it for, or cannot be read.",
        "Correct SourcePath or CreateAs, or the permissions on the node.",
    )
    PRECONDITION_FAILED = (
        "PreconditionFailed",
        Area.DATA,
        "An object or file changed while it was fetched.",
        "Run the job again when nobody writes it.",
    )
    LISTING_CHANGED = (
        "InputListingChanged",
        Area.DATA,
        "An input that executions divide as a whole has changed since the first of them saw it.",
        "Run the job again, or use a partition type that does not depend on the whole listing.",
    )
    CHECKSUM_MISMATCH = (
        "ChecksumMismatch",
        Area.DATA,
        "A downloaded result is not what was published.",
        "Download it again; run the job again if this repeats.",
    )
    DAMAGED_RESULT = (
        "DamagedResult",
        Area.DATA,
        "A result is no sound archive, or holds files that cannot be where it says.",
        "Download it again; look at it with `bacalhau job get --raw` if this repeats.",
    )
    NO_ROOM = (
        "NoRoom",
        Area.DATA,
        "The disk here has no room for a result.",
        "Make room, or name a directory on another disk with --output-dir; what came is kept.",
    )

    # -- S3 ----------------------------------------------------------------------------

    S3_BAD_REQUEST = (
        "S3BadRequest",
        Area.S3,
        "A parameter of an S3 input or publisher is not as it must be.",
        "Correct the parameter that is named.",
    )
    S3_CHECKSUM = (
        "S3ChecksumMismatch",
        Area.S3,
        "The object is not the one that the job was written for.",
        "Correct ChecksumSHA256 or Key.",
    )
    ENDPOINT_NOT_LISTED = (
        "EndpointNotListed",
        Area.S3,
        "The job names an S3 server that must not see what this node signs.",
        "Ask the operator to add it to Compute.AllowListedS3Endpoints.",
    )
    NO_CREDENTIALS = (
        "NoCredentials",
        Area.S3,
        "The node has no AWS credentials, and may not ask without.",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, on the node.",
    )
    INVALID_CREDENTIALS = (
        "InvalidCredentials",
        Area.S3,
        "The AWS credentials of the node cannot be read.",
        "Check AWS_PROFILE, ~/.aws/config and ~/.aws/credentials on the node.",
    )
    ACCESS_DENIED = (
        "AccessDenied",
        Area.S3,
        "The node's credentials may not do this with the bucket.",
        "Give them the permissions that the hint names.",
    )
    NO_SUCH_BUCKET = (
        "NoSuchBucket",
        Area.S3,
        "There is no bucket of this name at this endpoint.",
        "Check the name of the bucket, its Region, and the Endpoint.",
    )
    NO_SUCH_KEY = (
        "NoSuchKey",
        Area.S3,
        "The bucket has no such object.",
        "Check the key; if it is a prefix, end it with / or *.",
    )
    NO_SUCH_VERSION = (
        "NoSuchVersion",
        Area.S3,
        "The object has no such version.",
        "Correct VersionID, or leave it out for the newest.",
    )
    OBJECT_STATE = (
        "InvalidObjectState",
        Area.S3,
        "The object is archived.",
        "Restore it first.",
    )
    AUTH_FAILURE = (
        "AuthFailure",
        Area.S3,
        "The node's credentials were refused.",
        "Check the AWS credentials of the node.",
    )
    EXPIRED_TOKEN = (
        "ExpiredToken",
        Area.S3,
        "The node's session token is no longer valid.",
        "Renew the AWS credentials of the node.",
    )
    INVALID_ACCESS_KEY = (
        "InvalidAccessKeyId",
        Area.S3,
        "The server does not know the node's access key.",
        "Check AWS_ACCESS_KEY_ID of the node, and that the Endpoint is the right one.",
    )
    INVALID_TOKEN = (
        "InvalidToken",
        Area.S3,
        "The node's session token is damaged or of another account.",
        "Renew the AWS credentials of the node.",
    )
    CLOCK_SKEW = (
        "RequestTimeTooSkewed",
        Area.S3,
        "The clocks of the node and of the server differ too much.",
        "Set the node's clock.",
    )
    SIGNATURE = (
        "SignatureDoesNotMatch",
        Area.S3,
        "The node's secret key is wrong, or something between it and the server changes requests.",
        "Check AWS_SECRET_ACCESS_KEY of the node.",
    )
    TOKEN_REFRESH = (
        "TokenRefreshRequired",
        Area.S3,
        "The node's session token has to be renewed.",
        "Renew the AWS credentials of the node.",
    )
    REGION_MALFORMED = (
        "AuthorizationHeaderMalformed",
        Area.S3,
        "The request was signed for another region than the bucket's.",
        "Set Region to the one that the hint names.",
    )
    REGION_CONSTRAINT = (
        "IllegalLocationConstraintException",
        Area.S3,
        "The bucket is in another region.",
        "Set Region to the one that the hint names.",
    )
    REGION_REDIRECT = (
        "PermanentRedirect",
        Area.S3,
        "The bucket is in another region.",
        "Set Region to the one that the hint names.",
    )
