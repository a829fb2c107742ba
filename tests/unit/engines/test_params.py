"""Parameters of the engines, as job files of v1.5 and v1.9 have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bacalhau.engines.wasm.engine import WasmEngine, find_module
from bacalhau.errors import ExecutionError, ValidationError
from bacalhau.models import SpecConfig
from bacalhau.models.specs import docker as docker_specs
from bacalhau.models.specs import wasm as wasm_specs
from bacalhau.ports import Volume


def docker(**params: Any) -> docker_specs.DockerParams:
    return docker_specs.read_params(SpecConfig(type="docker", params=params))


def wasm(**params: Any) -> SpecConfig:
    return SpecConfig(type="wasm", params=params)


def source(alias: str = "", target: str = "") -> dict[str, Any]:
    return {
        "Source": {"Type": "inline", "Params": {"URL": "data:,"}},
        "Alias": alias,
        "Target": target,
    }


class TestDocker:
    def test_null_means_the_images_own_and_an_empty_list_does_not(self) -> None:
        assert docker(Image="i", Entrypoint=None, Parameters=None).entrypoint is None
        assert docker(Image="i", Entrypoint=[]).entrypoint == []

    def test_all_problems_are_told_at_once_with_the_texts_of_v15(self) -> None:
        with pytest.raises(ValidationError) as caught:
            docker(WorkingDirectory="tmp", EnvironmentVariables=["=x", "bacalhau_a=1", "ok=1"])
        assert caught.value.fields == (
            "Params.Image",
            "Params.WorkingDirectory",
            "Params.EnvironmentVariables[0]",
            "Params.EnvironmentVariables[1]",
        )
        assert "invalid docker engine param: 'Image' cannot be empty" in caught.value.message
        assert '("tmp") must contain absolute path' in caught.value.message

    def test_a_null_byte_is_refused_where_the_system_could_not_pass_it_on(self) -> None:
        with pytest.raises(ValidationError) as caught:
            docker(Image="i", Parameters=["a\0b"], Entrypoint=["\0"])
        assert caught.value.fields == ("Params.Entrypoint", "Params.Parameters")

    def test_a_variable_without_a_value_differs_from_an_empty_one(self) -> None:
        variables = docker(Image="i", EnvironmentVariables=["A", "B=", "C=x=y"]).variables()
        assert variables == {"A": None, "B": "", "C": "x=y"}


class TestWasm:
    def test_sources_of_modules_are_inputs_that_no_task_can_name(self) -> None:
        spec = wasm(EntryModule=source(target="/mine"), ImportModules=[source("lib"), "/path"])
        inputs = WasmEngine.extra_inputs(spec)
        assert [each.target for each in inputs] == ["/.bacalhau/wasm/0", "/.bacalhau/wasm/1"]
        assert [each.source.kind for each in inputs] == ["inline", "inline"]

    def test_modules_given_by_path_need_no_inputs_of_their_own(self) -> None:
        assert WasmEngine.extra_inputs(wasm(EntryModule="/m", ImportModules=["/lib"])) == []

    @pytest.mark.parametrize("key", ["EntryPoint", "Entrypoint", "entrypoint"])
    def test_the_entry_point_has_two_spellings_and_a_default(self, key: str) -> None:
        params = wasm_specs.read_params(wasm(EntryModule="/m", **{key: "main"}))
        assert params.function == "main"
        assert wasm_specs.read_params(wasm(EntryModule="/m", **{key: ""})).function == "_start"

    def test_a_missing_module_is_told_as_v15_does(self) -> None:
        with pytest.raises(ValidationError, match=r"wasm engine entry module\. cannot be nil"):
            WasmEngine.check(wasm())
        with pytest.raises(ValidationError, match=r"entry module\. source cannot be nil"):
            WasmEngine.check(wasm(EntryModule={"Source": {"Type": ""}}))

    def test_two_import_modules_of_one_name_are_refused(self) -> None:
        with pytest.raises(ValidationError, match='import module "lib" is given twice'):
            WasmEngine.check(wasm(EntryModule="/m", ImportModules=[source("lib"), source("lib")]))

    def test_wrong_kinds_name_what_is_expected(self) -> None:
        with pytest.raises(ValidationError) as caught:
            WasmEngine.check(wasm(EntryModule=5))
        assert caught.value.fields == ("Params.EntryModule",)


class TestFindModule:
    def test_the_innermost_mount_decides(self, tmp_path: Path) -> None:
        for name in ("outer", "inner"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "m.wasm").touch()
        inputs = [
            Volume(path=tmp_path / "outer", target="/in"),
            Volume(path=tmp_path / "inner", target="/in/sub"),
        ]
        assert find_module("/in/m.wasm", "/in/m.wasm", inputs) == tmp_path / "outer" / "m.wasm"
        assert find_module("in/sub", "in/sub", inputs) == tmp_path / "inner" / "m.wasm"

    def test_a_name_that_only_begins_alike_is_another(self, tmp_path: Path) -> None:
        inputs = [Volume(path=tmp_path, target="/in")]
        with pytest.raises(ExecutionError, match="no input provides"):
            find_module("/input/m.wasm", "/input/m.wasm", inputs)

    def test_nothing_outside_an_input_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "secret.wasm").touch()
        inputs = [Volume(path=tmp_path / "in", target="/in")]
        with pytest.raises(ExecutionError):
            find_module("/in/../secret.wasm", "/in/../secret.wasm", inputs)
