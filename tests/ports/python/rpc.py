"""Remote calls: many at once over one connection, done by a pool."""
import itertools
import eventlet


def double(n):
    eventlet.sleep(0.01)
    return n * 2


def square(n):
    return n * n


METHODS = {'double': double, 'square': square}


def answer(conn, line):
    number, method, argument = line.split()
    result = METHODS[method](int(argument))
    conn.sendall(f'{number} {result}\n'.encode())


def serve_client(conn, addr):
    pool = eventlet.GreenPool(10)
    for line in conn.makefile('r'):
        pool.spawn_n(answer, conn, line)
    pool.waitall()


class Client:
    def __init__(self, address):
        self.conn = eventlet.connect(address)
        self.numbers = itertools.count()
        self.pending = {}
        eventlet.spawn_n(self.read)

    def read(self):
        for line in self.conn.makefile('r'):
            number, result = line.split()
            self.pending.pop(int(number)).send(int(result))

    def call(self, method, argument):
        number = next(self.numbers)
        event = self.pending[number] = eventlet.Event()
        self.conn.sendall(f'{number} {method} {argument}\n'.encode())
        with eventlet.Timeout(5):
            return event.wait()


def main():
    server = eventlet.listen(('127.0.0.1', 0))
    eventlet.spawn_n(eventlet.serve, server, serve_client)
    client = Client(server.getsockname())
    slow = [eventlet.spawn(client.call, 'double', n) for n in range(4)]
    print(client.call('square', 7))
    print([gt.wait() for gt in slow])


main()
