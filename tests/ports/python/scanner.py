"""Which ports are open."""
import eventlet


def is_open(port):
    try:
        with eventlet.Timeout(1):
            eventlet.connect(('127.0.0.1', port))
        return True
    except (OSError, eventlet.Timeout):
        return False


def scan(ports):
    pool = eventlet.GreenPool(200)
    return [port for port, up in zip(ports, pool.imap(is_open, ports)) if up]


def main():
    servers = [eventlet.listen(('127.0.0.1', 0)) for _ in range(3)]
    expected = [server.getsockname()[1] for server in servers]
    found = scan(expected + [1, 2, 3])
    print(len(found), found == expected)


main()
