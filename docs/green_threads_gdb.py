"""Lists the green threads of a process, or of a core file, whose program was written with `eventlet`.

    $ gdb -p PID -x docs/green_threads_gdb.py -ex green-threads -ex detach -ex quit
    $ gdb PROGRAM CORE -x docs/green_threads_gdb.py -ex green-threads

A core file is one that the system has written, as for `kill -ABRT PID`. One of gdb's `gcore` has no stacks, as it stops at the
first page of a mapping that cannot be read, a guard.

Below each green thread that waits on a stack of its own is the backtrace of its wait (x86-64 only).

It reads memory and nothing else: no code of the process runs, no register changes, and a process that hangs goes on hanging when
gdb has left. The program needs the debug information of this crate's types: `[profile.release.package.eventlet] debug = 2`.
Tried with rustc 1.95 and gdb 13; it knows how std lays out its types, so another version may need a change here.
"""

import re

import gdb
from gdb.unwinder import Unwinder, register_unwinder

HUB = "eventlet::hub::current::HUB::"
NEWEST = "eventlet::stackful::frame::NEWEST::"
STORAGE = (
    "std::sys::thread_local::native::eager::Storage<core::cell::RefCell<core::option::Option<"
    "alloc::rc::Rc<eventlet::hub::scheduler::Hub, alloc::alloc::Global>>>>"
)
FRAME = "eventlet::stackful::frame::Frame"

# Frames of one backtrace that are shown.
MOST_FRAMES = 64
# The code by which corosensei resumes a stack, which begins where it was suspended.
RESUMES = bytes([0x55, 0x48, 0x89, 0x66, 0xF0, 0x48, 0x8D, 0x62, 0x08, 0x5B, 0x5D])
# Bytes of a stack between where it was noted and where it is suspended, at most.
SWITCH = 4096


def inside(value):
    """Leaves the cells around a value behind."""
    while value.type.code == gdb.TYPE_CODE_STRUCT and "value" in value.type.keys():
        value = value["value"]
    return value


def word(value):
    """Reads the first 8 bytes of a value: a pointer, or a number that is not zero, or 0 in place of `None`."""
    return word_at(int(value.address))


def word_at(address):
    return int.from_bytes(memory(address, 8), "little")


def memory(address, length):
    return gdb.selected_inferior().read_memory(address, length).tobytes()


def pointer_to(name):
    return gdb.lookup_type(name).pointer()


def thread_local_symbol(prefix):
    found = gdb.execute("info variables -q " + prefix, to_string=True)
    names = re.findall(r"(%s\S*__RUST_STD_INTERNAL_VAL(?:::\w+)?)" % prefix, found)
    return names[0] if names else None


def address_here(symbol):
    """Returns where a thread-local value of the OS thread that is selected is."""
    try:
        return int(gdb.parse_and_eval("(unsigned long)&'%s'" % symbol))
    except gdb.error:
        return None


def hub_here(symbol):
    """Returns the hub of the OS thread that is selected, if it has one."""
    address = address_here(symbol)
    if address is None:
        return None
    storage = gdb.Value(address).cast(pointer_to(STORAGE)).dereference()
    counted = word(inside(storage["val"]))
    if counted == 0:
        return None
    # The counts of its handles come first.
    hub = gdb.Value(counted + 16)
    return hub.cast(pointer_to("eventlet::hub::scheduler::Hub")).dereference()


def slots_of(hub):
    slots = inside(hub["slots"])["slots"]
    first = slots["buf"]["inner"]["ptr"]["pointer"]["pointer"]
    first = first.cast(pointer_to("eventlet::hub::slots::Slot"))
    return [first[at] for at in range(int(slots["len"]))]


def place(location):
    """Returns file, line and column of a `Location`."""
    fields = location.type.keys()
    name = location["filename" if "filename" in fields else "file"]
    while "pointer" in name.type.keys():
        name = name["pointer"]
    text = memory(int(name["data_ptr"]), int(name["length"])).decode("utf-8", "replace").rstrip("\0")
    return "%s:%d:%d" % (text, location["line"], location["col"])


def stacks_here(symbol):
    """Returns the stacks of the OS thread that is selected, by the numbers of their green threads, the oldest first."""
    stacks = {}
    try:
        collect_stacks(symbol, stacks)
    except gdb.MemoryError:
        print("  (stacks are missing here: gdb's own `gcore` cannot read them, a core file of the system has them)")
    return stacks


def collect_stacks(symbol, stacks):
    address = address_here(symbol) if symbol else None
    at = word_at(address) if address else 0
    while at != 0:
        frame = gdb.Value(at).cast(pointer_to(FRAME)).dereference()
        ending = bool(inside(frame["ending"]))
        if not ending:
            front = frame["front"]["pointer"].dereference()
            stacks.setdefault(int(front["id"]), []).insert(0, (front["place"], suspended_at(at, frame)))
        at = word(inside(frame["links"]["older"]))


def suspended_at(address, frame):
    """Returns the registers of a stack that is suspended; `None` for one that runs."""
    noted = int(inside(frame["noted"]))
    if word(inside(frame["context"])) != 0 or noted == 0:
        return None
    # The low bits of an address on the stack below its frame, counted in words.
    here = address & ~0x7FFFF | noted << 3
    if here > address:
        here -= 0x80000
    for top in range(here - 8, here - SWITCH, -8):
        try:
            rip = word_at(top)
            if memory(rip, len(RESUMES)) == RESUMES:
                return {"rip": rip, "rbx": word_at(top + 8), "rbp": word_at(top + 16), "rsp": top + 24}
        except gdb.MemoryError:
            pass
    return None


class Id:
    def __init__(self, sp, pc):
        address = gdb.lookup_type("void").pointer()
        self.sp, self.pc = gdb.Value(sp).cast(address), gdb.Value(pc).cast(address)


class Suspended(Unwinder):
    """While it is on, the innermost frame of the selected OS thread seems to be called by a stack that is suspended."""

    def __init__(self):
        super().__init__("eventlet")
        self.registers, self.top = None, None

    def __call__(self, frame):
        if self.registers is None or self.top != (int(frame.read_register("rip")), int(frame.read_register("rsp"))):
            return None
        # Frames must seem to go up in memory.
        caller = frame.create_unwind_info(Id(self.registers["rsp"] - 64, self.top[0]))
        for name, value in self.registers.items():
            register = gdb.Value(value.to_bytes(8, "little"), frame.read_register(name).type)
            caller.add_saved_register(name, register)
        return caller

    def frames(self, registers):
        """Returns the frames of a stack, from its wait to its bottom."""
        gdb.invalidate_cached_frames()
        newest = gdb.newest_frame()
        self.top = (int(newest.read_register("rip")), int(newest.read_register("rsp")))
        # The frames of the OS thread are forgotten, to be found again by the registers.
        gdb.invalidate_cached_frames()
        self.registers = registers
        frames = []
        try:
            frame = gdb.newest_frame()
            while frame is not None and frame.type() == gdb.INLINE_FRAME:
                frame = frame.older()
            frame = frame.older() if frame is not None else None
            while frame is not None and len(frames) < MOST_FRAMES and not is_bottom(frame.name()):
                frames.append((frame.name() or hex(frame.pc()), frame.find_sal()))
                frame = frame.older()
        except gdb.error as error:
            frames.append(("(gdb: %s)" % error, None))
        finally:
            self.registers = None
            gdb.invalidate_cached_frames()
        while frames and is_switch(frames[0][0]):
            frames.pop(0)
        return frames


def is_bottom(name):
    return name is not None and ("stackful::frame::Frame::run" in name or "stack_init_trampoline" in name)


def is_switch(name):
    return "corosensei::" in name or "eventlet::stackful::" in name or "core::" in name


SUSPENDED = Suspended()
register_unwinder(None, SUSPENDED, replace=True)


class GreenThreads(gdb.Command):
    """Lists the green threads of all OS threads: number, state, the line that spawned each, and where those with stacks wait."""

    def __init__(self):
        super().__init__("green-threads", gdb.COMMAND_STACK)

    def invoke(self, _argument, _from_tty):
        # gdb has the language of the selected frame; Rust's has no `void`, nor quotes around a symbol.
        language = gdb.parameter("language")
        gdb.execute("set language c", to_string=True)
        try:
            self.list()
        finally:
            gdb.execute("set language " + language, to_string=True)

    def list(self):
        symbol = thread_local_symbol(HUB)
        if symbol is None:
            raise gdb.GdbError("no hub is known here: is this a program with `eventlet`, and its symbols?")
        try:
            gdb.lookup_type(STORAGE)
        except gdb.error:
            raise gdb.GdbError("there is no debug information of eventlet's types: see the head of this script")
        newest = thread_local_symbol(NEWEST)
        selected, found = gdb.selected_thread(), 0
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            hub = hub_here(symbol)
            if hub is not None:
                found += 1
                print("OS thread %d, %s" % (thread.ptid[1] or thread.num, thread.name))
                self.show(hub, stacks_here(newest))
        if selected is not None:
            selected.switch()
        print("%d OS threads run a hub" % found)

    def show(self, hub, stacks):
        # A key or none: none has the serial number 0.
        key = inside(hub["polled"]).address
        key = key.cast(pointer_to("eventlet::hub::job::Key")).dereference()
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
            for made_at, registers in stacks.get(serial, []):
                self.show_stack(made_at, registers)

    def show_stack(self, made_at, registers):
        if registers is None:
            print("    stack made at %s, which runs" % place(made_at.dereference()))
            return
        print("    stack made at %s" % place(made_at.dereference()))
        for at, (name, line) in enumerate(SUSPENDED.frames(registers)):
            where = " at %s:%d" % (line.symtab.filename, line.line) if line and line.symtab else ""
            print("      #%d %s%s" % (at, name, where))


GreenThreads()
