"""Stubs of the contract for Python, made by grpcio-tools in a temporary folder.

Nothing of Bursar's own code generation is used. Google's common types come
from googleapis-common-protos, as they would for any Python client.
"""

import pathlib
import sys
import tempfile
from importlib import resources

from grpc_tools import protoc

PROTOS = pathlib.Path(__file__).resolve().parents[2] / "proto"


def build():
    """Makes the stubs importable; keep what is returned, it owns the folder."""
    folder = tempfile.TemporaryDirectory(prefix="bursar-stubs-")
    ours = [*PROTOS.glob("bursar/v1/*.proto"), *PROTOS.glob("buf/validate/*.proto")]
    shipped = resources.files("grpc_tools") / "_proto"
    arguments = [
        "protoc", f"-I{PROTOS}", f"-I{shipped}",
        f"--python_out={folder.name}", f"--grpc_python_out={folder.name}",
        *sorted(str(path.relative_to(PROTOS)) for path in ours),
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed")
    sys.path.insert(0, folder.name)
    return folder
