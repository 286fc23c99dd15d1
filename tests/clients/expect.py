"""What the clients expect of answers and refusals, with words when it is not so."""

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


def check(found, wanted, what):
    """Not `assert`: it holds with `python -O` too."""
    if found != wanted:
        raise SystemExit(f"{what}: wanted {wanted!r}, found {found!r}")


def hold(condition, what):
    if not condition:
        raise SystemExit(what)


def refused(call, code, reason=None):
    """Makes a call that is refused with a code, or one of several; gives the
    error, and the details of it by their type."""
    codes = code if isinstance(code, tuple) else (code,)
    try:
        answer = call()
    except grpc.RpcError as error:
        text = f"{error.code()}: {error.details()}"
        hold(error.code() in codes, f"wanted {codes}, found {text}")
        status = rpc_status.from_call(error)
        details = {}
        for packed in status.details if status else []:
            kind = packed.TypeName().rsplit(".", 1)[-1]
            details[kind] = getattr(error_details_pb2, kind)()
            hold(packed.Unpack(details[kind]), f"{kind} cannot be unpacked")
        if reason:
            hold("ErrorInfo" in details, f"no ErrorInfo came with {text}")
            check(details["ErrorInfo"].reason, reason, "the reason")
            check(details["ErrorInfo"].domain, "bursar", "the domain of the reason")
        return error, details
    raise SystemExit(f"wanted {code}, but it was answered: {answer}")
