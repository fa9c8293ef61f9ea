"""TensorBoard: event files under ``RUN/tracking/tensorboard``, one folder a tracked run."""

from __future__ import annotations

import json
import time

from tensorboard.compat.proto.event_pb2 import Event as Record
from tensorboard.compat.proto.event_pb2 import SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from coopt.driver.tracking.base import settings_of
from coopt.driver.tracking.events import Event
from coopt.driver.tracking.streams import Stream, Told


class TensorBoard:
    """Writes everything anew at every start: files of earlier starts go, and a reader that has seen them is told to
    forget them."""

    def __init__(self, told: Told) -> None:
        self.told = told

    def open(self, stream: Stream, logged: int) -> _EventFile:
        folder = self.told.folder / "tensorboard" / stream.method / f"seed{stream.seed}" / stream.student
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        return _EventFile(EventFileWriter(str(folder)), settings_of(self.told, stream))


class _EventFile:
    held = 0

    def __init__(self, writer: EventFileWriter, settings: dict[str, object]) -> None:
        self._writer = writer
        # Readers drop what they hold at and after this step.
        self._writer.add_event(Record(wall_time=time.time(), step=0, session_log=SessionLog(status=SessionLog.START)))
        self._add(0, Summary(value=[_text("settings", f"```\n{json.dumps(settings, indent=1)}\n```")]))

    def log(self, number: int, event: Event) -> None:
        values = [Summary.Value(tag=name, simple_value=value) for name, value in event.values.items()]
        self._add(event.step, Summary(value=values))

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _add(self, step: int, summary: Summary) -> None:
        self._writer.add_event(Record(wall_time=time.time(), step=step, summary=summary))


def _text(tag: str, text: str) -> Summary.Value:
    """A text for TensorBoard's plug-in of that name."""
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype="DT_STRING", string_val=[text.encode()], tensor_shape=shape)
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
