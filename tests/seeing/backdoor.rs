//! The backdoor, as its clients see it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use eventlet::backdoor::{Args, Commands, Output, backdoor, backdoor_server};
use eventlet::runtime::Builder;
use eventlet::{GreenThread, connect, listen, sleep, spawn};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};

const ZERO: Duration = Duration::ZERO;

/// On a paused clock: whoever waits for nothing that comes is sent away at once.
fn paused(test: impl Future<Output = ()> + 'static) {
    Builder::new().start_paused(true).run(test).unwrap();
}

/// Sends lines, and returns all that is answered.
async fn ask<C: AsyncRead + AsyncWrite + Unpin>(mut client: C, lines: &str) -> String {
    client.write_all(lines.as_bytes()).await.unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    text
}

/// A session on a pipe.
fn session(commands: Commands) -> (DuplexStream, GreenThread<io::Result<()>>) {
    let (client, conn) = duplex(1 << 16);
    (client, spawn(backdoor(conn, commands)))
}

/// Returns what one command answers.
async fn answer(commands: Commands, line: &str) -> String {
    let (client, session) = session(commands);
    let text = ask(client, &format!("{line}\nquit\n")).await;
    session.await.unwrap().unwrap();
    let mut answers = text.split(">>> ");
    assert!(answers.next().unwrap().starts_with("eventlet backdoor of process "), "{text}");
    answers.next().unwrap().to_owned()
}

async fn own(line: &str) -> String {
    answer(Commands::new(), line).await
}

#[test]
fn each_command_answers() {
    paused(async {
        let waits = spawn(std::future::pending::<()>());
        waits.set_name("patience");
        let sleeps = spawn(sleep(Duration::from_secs(3600)));
        sleep(ZERO).await;

        let threads = own("threads").await;
        assert!(threads.starts_with("id  name"), "{threads}");
        assert!(threads.contains("patience") && threads.contains("backdoor.rs:"), "{threads}");
        let json = own("threads --json").await;
        let expected =
            format!("{{\"id\":{},\"name\":\"patience\",\"state\":\"waiting\"", waits.id());
        assert!(json.contains(&expected) && json.lines().count() == 1, "{json}");

        let timers = own("timers --json").await;
        assert!(
            timers.contains(&format!("{{\"due in\":3600,\"green thread\":{}}}", sleeps.id())),
            "{timers}"
        );
        assert_eq!(own("listeners --json").await, "[]\n");
        let stats = own("stats --json").await;
        assert!(stats.contains("{\"what\":\"green threads\",\"value\":4}"), "{stats}");
        assert!(own("stats").await.contains("stalls"));
        assert!(own("top").await.starts_with("id"));
        let top = own("top --json").await;
        assert!(top.contains("\"processor\":0") && top.contains("\"turns\":"), "{top}");
        assert!(own("top 61").await.contains("it is `top` or `top SECONDS`"));
        assert_eq!(eventlet::debug::top().turns, 0, "nothing is counted any more");
        eventlet::debug::keep_usage(true);
        assert!(own("top --json").await.contains("\"processor\":null"));
        assert!(eventlet::debug::top().turns > 0, "the program has it counted");
        eventlet::debug::keep_usage(false);
        assert!(own("dump").await.contains("\"patience\", waiting"));
        assert!(own(&format!("dump {}", waits.id())).await.starts_with("green thread "));
        assert!(own("dump 99999").await.contains("there is no green thread \"99999\""));
        assert!(own("version").await.starts_with("eventlet 0."));
        assert!(own("block on 50").await.contains("done"));
        assert!(own("block on 0").await.contains("give each turn 1ms at least"));
        assert!(own("block off").await.contains("done"));
        assert!(own("block").await.contains("it is `block on MILLISECONDS`"));
        assert!(own("log debug").await.contains("`Commands::log` adds it"));
        assert_eq!(own("").await, "");
        let getter = spawn(async { eventlet::Queue::<()>::new(None).get().await });
        let json = own("waits --json").await;
        let expected = format!("\"waiting\":1,\"green threads\":\"{}\"}}", getter.id());
        assert!(json.contains("{\"what\":\"an item of a queue\",\"state\":\"0 items\""), "{json}");
        assert!(json.contains(&expected), "{json}");
        getter.kill();
        assert!(own("waits").await.starts_with("what "));
        assert!(own("frobnicate").await.contains("\"frobnicate\" is no command"));
        let help = own("help").await;
        for name in [
            "threads",
            "dump",
            "top",
            "stats",
            "waits",
            "timers",
            "listeners",
            "stacks",
            "kill",
            "quit",
        ] {
            assert!(help.lines().any(|line| line.starts_with(name)), "{name}: {help}");
        }

        assert!(own(&format!("kill {}", waits.id())).await.contains("is killed"));
        assert!(waits.dead());
        let main = eventlet::getcurrent().id();
        assert!(own(&format!("kill {main}")).await.contains("the program may end"));
        sleeps.kill();
    });
}

#[cfg(feature = "stackful")]
#[test]
fn a_dump_shows_where_code_on_stacks_waits() {
    use eventlet::{Block, stackful};

    fn waits_here() {
        std::future::pending::<()>().block();
    }

    paused(async {
        let waits = spawn(stackful(waits_here));
        sleep(ZERO).await;
        for command in ["dump".to_owned(), format!("dump {}", waits.id())] {
            let dump = own(&command).await;
            assert!(dump.contains("waits_here"), "{dump}");
        }
        assert!(own("stacks").await.contains("stacks in use"));
        waits.kill();
    });
}

fn commands() -> Commands {
    Commands::new()
        .command("echo", "says what it is told", |args: Args, out: Output| async move {
            sleep(ZERO).await;
            args.words().for_each(|word| out.line(word));
        })
        .command("fails", "panics", |_args, _out| async { panic!("oops") })
        .log(|level| if level == "debug" { Ok(()) } else { Err(format!("no {level}")) })
}

#[test]
fn commands_of_the_program_run_and_may_fail() {
    paused(async {
        assert_eq!(answer(commands(), "echo a  b").await, "a\nb\n");
        assert!(answer(commands(), "fails").await.contains("the green thread panicked: oops"));
        assert!(answer(commands(), "help").await.contains("echo       says what it is told"));
        assert_eq!(answer(commands(), "log debug").await, "done\n");
        assert_eq!(answer(commands(), "log loud").await, "no loud\n");
        let read_only = || commands().read_only(true);
        assert!(answer(read_only(), "kill 1 really").await.contains("for looking only"));
        assert!(answer(read_only(), "log debug").await.contains("for looking only"));
        assert!(!answer(read_only(), "help").await.contains("kill"));
    });
}

#[cfg(feature = "stackful")]
#[test]
fn commands_of_the_program_may_be_stackful() {
    use eventlet::{Block, stackful};

    paused(async {
        let naps = Commands::new().command("nap", "", |_args, out: Output| {
            stackful(move || {
                sleep(Duration::from_secs(1)).block();
                out.line("awake");
            })
        });
        assert_eq!(answer(naps, "nap").await, "awake\n");
    });
}

#[test]
fn lines_may_end_in_crlf_and_hold_anything() {
    paused(async {
        let (mut client, session) = session(commands());
        client.write_all(b"echo a\r\n\xff\xfb\x01\r\n\recho b\nquit\r\n").await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(text.contains(">>> a\n>>> "), "{text}");
        assert!(text.contains("is no command") && !text.contains('\u{1}'), "{text}");
        session.await.unwrap().unwrap();
    });
}

#[test]
fn clients_that_flood_or_say_nothing_or_do_not_read_are_sent_away() {
    paused(async {
        let (client, flood) = session(commands());
        let text = ask(client, &"x".repeat(5000)).await;
        assert!(text.ends_with("this line is too long\n"), "{text}");
        flood.await.unwrap().unwrap();

        let (client, silent) = session(commands());
        silent.await.unwrap().unwrap();
        drop(client);

        // Its pipe is full, and it never reads.
        let (mut client, conn) = duplex(256);
        let deaf = spawn(backdoor(conn, commands()));
        let _cut_off = client.write_all("help\n".repeat(100).as_bytes()).await;
        deaf.await.unwrap().unwrap();
    });
}

/// Whoever sends one command after the other leaves the others their turns.
#[test]
fn a_crowd_of_commands_stops_nobody() {
    paused(async {
        let (client, session) = session(commands());
        let lines = "version\n".repeat(2000) + "quit\n";
        let crowd = spawn(async move { ask(client, &lines).await });
        let mut turns = 0;
        while !session.dead() {
            sleep(ZERO).await;
            turns += 1;
        }
        assert!(turns > 1000, "{turns}");
        assert_eq!(crowd.await.unwrap().matches("eventlet 0.").count(), 2000);
    });
}

#[test]
fn a_client_that_goes_away_takes_its_command_along() {
    paused(async {
        let waits = Commands::new()
            .command("wait", "", |_args, _out| async { std::future::pending().await });
        let (mut client, session) = session(waits);
        client.write_all(b"wait\n").await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(eventlet::debug::green_threads().len(), 3);
        session.kill();
        assert_eq!(eventlet::debug::green_threads().len(), 1);
    });
}

#[test]
fn many_clients_are_in_at_once_over_ipv4_and_ipv6() {
    eventlet::run(async {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = listen(address).await else { continue };
            let addr = listener.local_addr().unwrap();
            let server = spawn(backdoor_server(listener, commands()));
            drop(connect(addr).await.unwrap()); // It hangs up at once.
            let threads = ask(connect(addr).await.unwrap(), "threads --json\nquit\n").await;
            let session = "\"name\":\"backdoor\",\"state\":\"running\",\"stackful\":false,\"idle\":null,\"spawned at\":\"tests/seeing/backdoor.rs:";
            assert!(threads.contains(session), "{threads}");
            let clients = [(); 10].map(|()| {
                spawn(async move { ask(connect(addr).await.unwrap(), "echo hi\r\nquit\r\n").await })
            });
            for client in clients {
                assert!(client.await.unwrap().contains(">>> hi\n"));
            }
            server.kill();
        }
    });
}

#[test]
fn a_unix_socket_is_for_its_owner() {
    eventlet::run(async {
        let file = format!("eventlet-backdoor-{}", std::process::id());
        let path: PathBuf = std::env::temp_dir().join(file);
        let listener = listen(&*path).await.unwrap();
        let server = spawn(backdoor_server(listener, commands()));
        sleep(ZERO).await;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = ask(connect(&*path).await.unwrap(), "echo hi\nquit\n").await;
        assert!(text.contains(">>> hi\n"), "{text}");
        server.kill();
        fs::remove_file(&path).unwrap();
    });
}

/// Runs a client that the system has, in a shell, and returns what it shows: nothing where the
/// system has none, or the other `nc`, which knows no Unix sockets.
async fn shell(client: &str, command: &str) -> Option<String> {
    let has = match client {
        "nc" => "nc -h 2>&1 | grep -e -U".to_owned(),
        other => format!("command -v {other}"),
    };
    let has = tokio::process::Command::new("sh").args(["-c", &has]).output();
    if !has.await.unwrap().status.success() {
        eprintln!("skipped: there is no {client}");
        return None;
    }
    let shown = tokio::process::Command::new("sh").args(["-c", command]).output().await.unwrap();
    Some(String::from_utf8(shown.stdout).unwrap())
}

/// `quit` ends the session, and with it the client, whatever its standard input does.
#[test]
fn the_clients_of_the_system_get_in_and_out() {
    eventlet::run(async {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let file = format!("eventlet-backdoor-clients-{}", std::process::id());
        let path: PathBuf = std::env::temp_dir().join(file);
        let unix = listen(&*path).await.unwrap();
        let servers = [
            spawn(backdoor_server(listener, commands())),
            spawn(backdoor_server(unix, commands())),
        ];
        let (path, lines) = (path.display(), r"printf 'echo hi\nthreads\nquit\n'");
        let clients = [
            ("nc", format!("{lines} | nc -w 20 127.0.0.1 {port}")),
            ("nc", format!("{lines} | nc -w 20 -U {path}")),
            ("socat", format!("{lines} | socat -t 20 - TCP4:127.0.0.1:{port}")),
            ("socat", format!("{lines} | socat -t 20 - UNIX-CONNECT:{path}")),
            ("rlwrap", format!("{lines} | rlwrap nc -w 20 127.0.0.1 {port}")),
            ("telnet", format!("({lines}; sleep 20) | telnet 127.0.0.1 {port}")),
        ];
        for (client, command) in clients {
            if let Some(shown) = shell(client, &command).await {
                assert!(
                    shown.contains(">>> hi\n") && shown.contains("backdoor"),
                    "{client}: {shown}"
                );
            }
        }
        servers.iter().for_each(|server| server.kill());
        fs::remove_file(path.to_string()).unwrap();
    });
}

#[test]
fn other_machines_are_let_in_with_a_password_only() {
    eventlet::run(async {
        let listener = listen("0.0.0.0:0").await.unwrap();
        let error = backdoor_server(listener, commands()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("listen on 127.0.0.1"), "{error}");

        let password = "correct horse battery staple";
        let listener = listen("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = spawn(backdoor_server(listener, commands().allow_remote(password)));
        let client = || async move { connect(("127.0.0.1", port)).await.unwrap() };
        let good = ask(client().await, &format!("wrong\r\n{password}\r\necho hi\nquit\n")).await;
        assert!(good.contains(">>> hi\n") && !good.contains(password), "{good}");
        let bad = ask(client().await, "a\nb\nc\n").await;
        assert_eq!(bad, "password: password: password: ");
        server.kill();
    });
}

#[test]
#[should_panic(expected = "a password of 6 bytes is soon guessed")]
fn a_password_that_is_short_is_refused() {
    let _ = Commands::new().allow_remote("secret");
}

#[test]
#[should_panic(expected = "the name of a command is one word")]
fn a_command_of_two_words_is_refused() {
    let _ = Commands::new().command("two words", "", |_args, _out| async {});
}
