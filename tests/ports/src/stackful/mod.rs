mod chat;
mod crawler;
mod limiter;
mod pills;
mod proxy;
mod rpc;
mod scanner;

use std::io;

pub(crate) fn run(name: &str) -> io::Result<()> {
    match name {
        "chat" => chat::main(),
        "crawler" => crawler::main(),
        "limiter" => limiter::main(),
        "pills" => pills::main(),
        "proxy" => proxy::main(),
        "rpc" => rpc::main(),
        "scanner" => scanner::main(),
        _ => Err(io::Error::other(format!("there is no program `{name}`"))),
    }
}
