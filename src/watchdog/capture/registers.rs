//! What an unwinder starts from: the few registers by which functions find their callers.

use framehop::UnwindRegsNative;
use libc::ucontext_t;

/// Of the code that was interrupted: where it is, its stack pointer, its frame pointer, and on
/// aarch64 its link register.
pub(super) struct Registers(pub(super) [usize; Registers::COUNT]);

impl Registers {
    pub(super) const COUNT: usize = 4;

    pub(super) fn instruction_pointer(&self) -> usize {
        self.0[0]
    }

    pub(super) fn stack_pointer(&self) -> usize {
        self.0[1]
    }
}

#[cfg(target_arch = "x86_64")]
impl Registers {
    pub(super) fn of(context: &ucontext_t) -> Registers {
        let register = |number: libc::c_int| context.uc_mcontext.gregs[number as usize] as usize;
        Registers([register(libc::REG_RIP), register(libc::REG_RSP), register(libc::REG_RBP), 0])
    }

    pub(super) fn for_unwinder(&self) -> UnwindRegsNative {
        let [ip, sp, bp, _] = self.0.map(|register| register as u64);
        UnwindRegsNative::new(ip, sp, bp)
    }
}

#[cfg(target_arch = "aarch64")]
impl Registers {
    pub(super) fn of(context: &ucontext_t) -> Registers {
        let machine = &context.uc_mcontext;
        let [pc, sp, fp, lr] = [machine.pc, machine.sp, machine.regs[29], machine.regs[30]];
        Registers([pc, sp, fp, lr].map(|register| register as usize))
    }

    pub(super) fn for_unwinder(&self) -> UnwindRegsNative {
        let [_, sp, fp, lr] = self.0.map(|register| register as u64);
        UnwindRegsNative::new(lr, sp, fp)
    }
}
