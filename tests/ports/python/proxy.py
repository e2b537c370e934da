"""A proxy that closes connections on which nobody says anything."""
import eventlet
from eventlet import greenio

IDLE = 1


def pump(source, sink):
    try:
        while True:
            with eventlet.Timeout(IDLE):
                data = source.recv(32384)
            if not data:
                break
            sink.sendall(data)
    except (OSError, eventlet.Timeout):
        pass
    finally:
        greenio.shutdown_safe(source)
        greenio.shutdown_safe(sink)


def proxy(client, target):
    server = eventlet.connect(target)
    upwards = eventlet.spawn(pump, client, server)
    pump(server, client)
    upwards.wait()


def echo(conn, addr):
    for line in conn.makefile('r'):
        conn.sendall(line.upper().encode())


def main():
    server, front = [eventlet.listen(('127.0.0.1', 0)) for _ in range(2)]
    target = server.getsockname()
    eventlet.spawn_n(eventlet.serve, server, echo)
    eventlet.spawn_n(eventlet.serve, front, lambda conn, addr: proxy(conn, target))
    conn = eventlet.connect(front.getsockname())
    lines = conn.makefile('r')
    conn.sendall(b'hello\n')
    print(lines.readline(), end='')
    print(repr(lines.readline()))


main()
