"""Reads a YAML file of the plugin that must contain a mapping."""

from endpointd.manifest.document import read_document
from endpointd.manifest.fields import Fields
from endpointd.manifest.files import FileProblem, PluginFiles
from endpointd.manifest.findings import Place, Report
from endpointd.manifest.nodes import Entries, described


def read_mapping(
    files: PluginFiles, path: str, named_at: Place, report: Report, *, if_missing: str = ""
) -> Fields | None:
    """The mapping in a file; None, with the reason in `report`, if there is none.

    `named_at` is where the plugin names the file; a missing file is reported there. `if_missing` replaces the usual
    remedy for a missing file.
    """
    try:
        data = files.read(path)
    except FileProblem as problem:
        remedy = if_missing if if_missing and problem.code == "file_missing" else problem.remedy
        report.error(named_at, problem.code, problem.message, remedy)
        return None
    root = read_document(data, path, report)
    if root is None or isinstance(root, Entries):
        return None if root is None else Fields(report, path, root)
    remedy = "write the plugin's keys at the beginning of the lines, each with ':'"
    report.error(Place(path, root.line), "wrong_type", f"the file holds {described(root)}, not a mapping", remedy)
    return None
