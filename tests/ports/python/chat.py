"""A chat room: what one says, the others hear."""
import eventlet

room = {}


def tell_others(speaker, text):
    for name, conn in list(room.items()):
        if name != speaker:
            try:
                conn.sendall(f'{text}\n'.encode())
            except OSError:
                pass


def chat(conn, addr):
    lines = conn.makefile('r')
    name = lines.readline().strip()
    room[name] = conn
    conn.sendall(b'welcome\n')
    tell_others(name, f'{name} has joined')
    try:
        for line in lines:
            tell_others(name, f'{name}: {line.strip()}')
    finally:
        del room[name]
        tell_others(name, f'{name} has left')


def join(address, name):
    conn = eventlet.connect(address)
    conn.sendall(f'{name}\n'.encode())
    lines = conn.makefile('r')
    lines.readline()
    return conn, lines


def main():
    server = eventlet.listen(('127.0.0.1', 0))
    eventlet.spawn_n(eventlet.serve, server, chat)
    ann, heard = join(server.getsockname(), 'Ann')
    bob, answers = join(server.getsockname(), 'Bob')
    bob.sendall(b'hello\n')
    print(heard.readline(), end='')
    print(heard.readline(), end='')
    ann.sendall(b'good morning\n')
    print(answers.readline(), end='')
    ann.shutdown(1)
    print(answers.readline(), end='')


main()
