"""Lists the green threads of a process, or of a core file, whose program was written with `eventlet`.

    $ gdb -p PID -x docs/green_threads_gdb.py -ex green-threads -ex detach -ex quit
    $ gdb PROGRAM CORE -x docs/green_threads_gdb.py -ex green-threads

It reads memory and nothing else: no code of the process runs, and a process that hangs goes on hanging when gdb has left.
The program needs the debug information of this crate's types: `[profile.release.package.eventlet] debug = 2`.
Tried with rustc 1.95 and gdb 13; it knows how std lays out its types, so another version may need a change here.
"""

import re

import gdb

HUB = "eventlet::hub::current::HUB::"
STORAGE = (
    "std::sys::thread_local::native::eager::Storage<core::cell::RefCell<core::option::Option<"
    "alloc::rc::Rc<eventlet::hub::scheduler::Hub, alloc::alloc::Global>>>>"
)


def inside(value):
    """Leaves the cells around a value behind."""
    while value.type.code == gdb.TYPE_CODE_STRUCT and "value" in value.type.keys():
        value = value["value"]
    return value


def word(value):
    """Reads the first 8 bytes of a value: a pointer, or a number that is not zero, or 0 in place of `None`."""
    return int(value.address.cast(gdb.lookup_type("u64").pointer()).dereference())


def thread_local_symbol():
    found = gdb.execute("info variables -q " + HUB, to_string=True)
    names = re.findall(r"(%s\S*__RUST_STD_INTERNAL_VAL::\w+)" % HUB, found)
    return names[0] if names else None


def hub_here(symbol):
    """Returns the hub of the OS thread that is selected, if it has one."""
    try:
        address = int(gdb.parse_and_eval("(u64)&'%s'" % symbol))
    except gdb.error:
        return None
    storage = gdb.Value(address).cast(gdb.lookup_type(STORAGE).pointer()).dereference()
    counted = word(inside(storage["val"]))
    if counted == 0:
        return None
    # The counts of its handles come first.
    hub = gdb.Value(counted + 16)
    return hub.cast(gdb.lookup_type("eventlet::hub::scheduler::Hub").pointer()).dereference()


def slots_of(hub):
    slots = inside(hub["slots"])["slots"]
    first = slots["buf"]["inner"]["ptr"]["pointer"]["pointer"]
    first = first.cast(gdb.lookup_type("eventlet::hub::slots::Slot").pointer())
    return [first[at] for at in range(int(slots["len"]))]


def place(location):
    """Returns file, line and column of a `Location`."""
    fields = location.type.keys()
    name = location["filename" if "filename" in fields else "file"]
    while "pointer" in name.type.keys():
        name = name["pointer"]
    text = name["data_ptr"].cast(gdb.lookup_type("u8").pointer())
    text = bytes(int(text[at]) for at in range(int(name["length"])))
    text = text.decode("utf-8", "replace").rstrip("\0")
    return "%s:%d:%d" % (text, location["line"], location["col"])


class GreenThreads(gdb.Command):
    """Lists the green threads of all OS threads: number, state, and the line that spawned each."""

    def __init__(self):
        super().__init__("green-threads", gdb.COMMAND_STACK)

    def invoke(self, _argument, _from_tty):
        symbol = thread_local_symbol()
        if symbol is None:
            raise gdb.GdbError("no hub is known here: is this a program with `eventlet`, and its symbols?")
        try:
            gdb.lookup_type(STORAGE)
        except gdb.error:
            raise gdb.GdbError("there is no debug information of eventlet's types: see the head of this script")
        selected, found = gdb.selected_thread(), 0
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            hub = hub_here(symbol)
            if hub is not None:
                found += 1
                print("OS thread %d, %s" % (thread.ptid[1] or thread.num, thread.name))
                self.show(hub)
        if selected is not None:
            selected.switch()
        print("%d OS threads run a hub" % found)

    def show(self, hub):
        # A key or none: none has the serial number 0.
        key = inside(hub["polled"]).address
        key = key.cast(gdb.lookup_type("eventlet::hub::job::Key").pointer()).dereference()
        running = word(key["serial"])
        for slot in slots_of(hub):
            serial = word(slot["serial"])
            if serial == 0:
                continue
            if serial == running:
                state = "running"
            elif not bool(slot["started"]):
                state = "not started"
            else:
                state = "ready" if bool(slot["ready"]) else "waiting"
            location = slot["spawned_at"].dereference()
            print("  green thread %d, %s, spawned at %s" % (serial, state, place(location)))


GreenThreads()
