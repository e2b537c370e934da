//! `Result<u8, std::io::Error>` is not `Clone`, and `wait` returns a copy: await the handle itself

fn main() {
    eventlet::run(async {
        let gt = eventlet::spawn(async { std::io::Result::Ok(1_u8) });
        let _one = gt.wait().await;
    });
}
