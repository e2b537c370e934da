//! What every contest of a run has in common.

use std::io;

use crate::child::Child;
use crate::contest::Effort;
use crate::cores::Cores;
use crate::peer::Peer;
use crate::web::Site;
use crate::whole::Program;
use crate::whole::servers::Foreign;

#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) effort: Effort,
    /// With a single core, all share it.
    pub(crate) cores: Option<Cores>,
    /// How many files may be open.
    pub(crate) files: u64,
    /// The peers of other languages that are there, and how they are called.
    pub(crate) guests: Vec<Peer>,
    pub(crate) foreign: Foreign,
}

impl Stage {
    /// Starts a server in a process of its own.
    pub(crate) fn server(&self, peer: Peer, program: Program) -> io::Result<Child> {
        let mut role = vec!["serve".to_owned(), peer.word(), program.word()];
        role.extend(self.foreign.words());
        self.start(&role)
    }

    /// Starts a server of the web in a process of its own.
    pub(crate) fn page(&self, peer: Peer, site: Site) -> io::Result<Child> {
        let mut role = vec!["page".to_owned(), peer.word(), site.word()];
        role.extend(self.foreign.words());
        self.start(&role)
    }

    /// Starts a process that does what it is asked.
    pub(crate) fn worker(&self, peer: Peer) -> io::Result<Child> {
        self.start(&["work".to_owned(), peer.word()])
    }

    fn start(&self, role: &[String]) -> io::Result<Child> {
        Child::start(role, self.cores.map(|cores| cores.measured))
    }
}
