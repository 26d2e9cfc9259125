#!/usr/bin/python3
"""A test server that pushes events of every type by command, so that a test knows how many."""

import time

import tango
from tango import AttrQuality, DevState
from tango.server import Device, attribute, command, run

POLL_PERIOD_MS = 200

# Of each data type that travels differently: an attribute, and a value that depends on a number.
VALUES = {
    "double_scalar": lambda n: float(n),
    "long_scalar": lambda n: n,
    "short_scalar": lambda n: n % 1000,
    "float_scalar": lambda n: n + 0.5,
    "long64_scalar": lambda n: -(2**40) - n,
    "uchar_scalar": lambda n: n % 256,
    "ushort_scalar": lambda n: 60000 + n % 1000,
    "ulong_scalar": lambda n: 2**31 + n,
    "ulong64_scalar": lambda n: 2**63 + n,
    "boolean_scalar": lambda n: n % 2 == 1,
    "string_scalar": lambda n: f"text {n}",
    "state_scalar": lambda n: DevState.ON if n % 2 else DevState.MOVING,
    "double_spectrum": lambda n: [n + 0.5] * 7,
    "uchar_spectrum": lambda n: [n % 256] * 5,
    "boolean_spectrum": lambda n: [n % 2 == 1, True, False],
    "short_spectrum": lambda n: [n % 1000] * 3,
    "state_spectrum": lambda n: [DevState.ON, DevState.OFF] if n % 2 else [DevState.FAULT] * 3,
    "string_spectrum": lambda n: [f"line {n}", "", "three"],
    "encoded_scalar": lambda n: ("format", bytes([n % 256] * 9)),
}

HAS_PIPES = hasattr(tango, "PipeEventData")
if HAS_PIPES:
    try:
        from tango.server import pipe
    except ImportError:
        HAS_PIPES = False


class EventTypes(Device):
    def init_device(self):
        super().init_device()
        self._number = 0
        self._reads = 0
        self._intr_changes = 0
        for name in VALUES:
            self.set_change_event(name, True, False)
            self.set_archive_event(name, True, False)
            if hasattr(self, "set_data_ready_event"):
                self.set_data_ready_event(name, True)
            else:  # PyTango 9.3.2
                self.get_device_attr().get_attr_by_name(name).set_data_ready_event(True)
            if hasattr(self, "set_alarm_event"):  # since 10.0
                self.set_alarm_event(name, True, False)
        self.poll_attribute("polled", POLL_PERIOD_MS)
        self.poll_attribute("failing", POLL_PERIOD_MS)
        self.set_state(DevState.ON)

    double_scalar = attribute(dtype=float, fget="read_any")
    long_scalar = attribute(dtype="DevLong", fget="read_any")
    short_scalar = attribute(dtype="DevShort", fget="read_any")
    float_scalar = attribute(dtype="DevFloat", fget="read_any")
    long64_scalar = attribute(dtype="DevLong64", fget="read_any")
    uchar_scalar = attribute(dtype="DevUChar", fget="read_any")
    ushort_scalar = attribute(dtype="DevUShort", fget="read_any")
    ulong_scalar = attribute(dtype="DevULong", fget="read_any")
    ulong64_scalar = attribute(dtype="DevULong64", fget="read_any")
    boolean_scalar = attribute(dtype=bool, fget="read_any")
    string_scalar = attribute(dtype=str, fget="read_any")
    state_scalar = attribute(dtype="DevState", fget="read_any")
    double_spectrum = attribute(dtype=(float,), max_dim_x=100, fget="read_any")
    uchar_spectrum = attribute(dtype=("DevUChar",), max_dim_x=100, fget="read_any")
    boolean_spectrum = attribute(dtype=(bool,), max_dim_x=100, fget="read_any")
    short_spectrum = attribute(dtype=("DevShort",), max_dim_x=100, fget="read_any")
    state_spectrum = attribute(dtype=("DevState",), max_dim_x=100, fget="read_any")
    string_spectrum = attribute(dtype=(str,), max_dim_x=100, fget="read_any")
    encoded_scalar = attribute(dtype="DevEncoded", fget="read_any")

    def read_any(self, attr):
        value = VALUES[attr.get_name()](self._number)
        if attr.get_name() == "encoded_scalar":
            attr.set_value(*value)
        else:
            attr.set_value(value)

    @attribute(dtype=float, abs_change="0.5", archive_abs_change="0.5", period=str(POLL_PERIOD_MS))
    def polled(self):
        """Another value at each poll: events of change, archive and periodic."""
        self._reads += 1
        return float(self._reads)

    @attribute(dtype=float, abs_change="0.5", period=str(POLL_PERIOD_MS))
    def failing(self):
        tango.Except.throw_exception("TEST_Failing", "this is never read", "EventTypes.failing")

    if HAS_PIPES:

        @pipe
        def a_pipe(self):
            return "blob", {"number": self._number}

    def _push_one(self, kind, name):
        self._number += 1
        value = VALUES[name](self._number) if name in VALUES else None
        values = value if isinstance(value, tuple) else (value,)
        if kind == "change":
            self.push_change_event(name, *values)
        elif kind == "alarm_quality":
            self.push_change_event(name, *values, time.time(), AttrQuality.ATTR_ALARM)
        elif kind == "invalid_quality":
            self.push_change_event(name, *values, time.time(), AttrQuality.ATTR_INVALID)
        elif kind == "change_error":
            try:
                tango.Except.throw_exception("TEST_Pushed", "a pushed error", "EventTypes.Push")
            except tango.DevFailed as error:
                self.push_change_event(name, error)
        elif kind == "archive":
            self.push_archive_event(name, *values)
        elif kind == "alarm":
            self.push_alarm_event(name, *values)
        elif kind == "user_event":
            self.push_event(name, [], [], *values)
        elif kind == "data_ready":
            self.push_data_ready_event(name, self._number)
        elif kind == "attr_conf":
            attr = self.get_device_attr().get_attr_by_name(name)
            self.push_att_conf_event(attr)
        elif kind == "pipe_error":
            try:
                tango.Except.throw_exception("TEST_Pushed", "a pushed error", "EventTypes.Push")
            except tango.DevFailed as error:
                self.push_pipe_event(name, error)
        elif kind == "pipe":
            self.push_pipe_event(name, ("blob", {"number": self._number}))
        elif kind == "intr_change":
            self._intr_changes += 1
            extra = f"extra_{self._intr_changes}"
            self.add_attribute(tango.Attr(extra, tango.DevDouble, tango.READ), self._read_extra)
        else:
            raise ValueError(f"{kind} is no kind of event")

    def _read_extra(self, attr):
        attr.set_value(0.0)

    @command(dtype_in="DevVarStringArray", doc_in="kind of event, attribute or pipe, how many")
    def Push(self, kind_name_count):
        kind, name, count = kind_name_count
        for _ in range(int(count)):
            self._push_one(kind, name)


if __name__ == "__main__":
    run((EventTypes,))
