"""Build hook: compiles our CRI subset (cri.proto) into Python messages, which are never committed."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileProto(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        from grpc_tools import protoc

        source = Path(self.root, "src")
        proto = source / "casemate/engine/cri/cri.proto"
        arguments = ["protoc", f"-I{source}", f"--python_out={source}", f"--pyi_out={source}", str(proto)]
        if protoc.main(arguments):
            raise RuntimeError(f"{proto} does not compile")
