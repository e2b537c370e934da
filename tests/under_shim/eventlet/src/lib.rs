//! `eventlet`, in a program in which everything is patched before `main`: tests that know nothing
//! of the shim run under it.
#![allow(unsafe_code)]

pub use eventlet::*;

pub use eventlet_shim::doctor;

/// Called by the dynamic linker, as constructors of C are.
extern "C" fn patch() {
    eventlet_shim::monkey_patch();
}

// SAFETY: it is the address of a function that takes nothing, as the linker wants there.
#[unsafe(link_section = ".init_array")]
#[used]
static PATCH: extern "C" fn() = patch;

/// Returns whether every area is patched.
pub fn is_everything_patched() -> bool {
    use eventlet_shim::Area;

    let mut all = Area::ALL.into_iter().filter(|area| *area != Area::File);
    all.all(eventlet_shim::is_monkey_patched)
}
