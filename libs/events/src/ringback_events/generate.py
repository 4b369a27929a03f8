"""Writes everything that is generated from the models: `python -m ringback_events.generate [contracts folder]`.

With `--check` nothing is written and the exit status is 1 if a file is missing or differs.
"""

import argparse
import sys
from pathlib import Path

from ringback_events.catalogue import EVENTS
from ringback_events.examples import projected_examples
from ringback_events.schemas import schema_file
from ringback_events.topic_files import topic_data, topic_files
from ringback_events.wire_source import wire_source

__all__ = ["generated_files", "main"]


def generated_files(contracts: Path) -> dict[Path, str]:
    """Every generated file and its text: schemas, open examples, topic files' ends, topics.json, wire.py."""
    files = {contracts / "schemas" / f"{event}.v1.json": schema_file(event) for event in EVENTS}
    files[Path(__file__).with_name("wire.py")] = wire_source()
    files[Path(__file__).with_name("topics.json")] = topic_data(contracts)
    files.update(projected_examples(contracts))
    files.update(topic_files(contracts))
    return files


def main(arguments: list[str] | None = None) -> int:
    """Write or check the generated files; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ringback_events.generate", description=__doc__)
    parser.add_argument("contracts", nargs="?", type=Path, default=Path("contracts"))
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args(arguments)
    files = generated_files(chosen.contracts)
    drifted = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in drifted:
        sys.stdout.write(f"{'differs' if chosen.check else 'written'}: {path}\n")
        if not chosen.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
    return 1 if chosen.check and drifted else 0


if __name__ == "__main__":
    sys.exit(main())
