"""The servers on Python's eventlet and gevent: serve.py eventlet|gevent echo|http|stream|start-response"""

import sys

BUFFER = 1024
CHUNK = b"x" * (64 << 10)
CHUNKS = 16
BODY = (
    b"A green thread waits for its next request as a plain function would, and thousands "
    b"of others have their turn until then, on one thread of the system.\n"
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
)


def echo(stream):
    while data := stream.recv(BUFFER):
        stream.sendall(data)


def http(stream):
    received = b""
    while data := stream.recv(BUFFER):
        received += data
        while (end := received.find(b"\r\n\r\n")) >= 0:
            stream.sendall(RESPONSE)
            received = received[end + 4 :]


def flow(stream):
    while data := stream.recv(BUFFER):
        for _ in range(len(data) * CHUNKS):
            stream.sendall(CHUNK)


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [BODY]


def serve_site(library, listener):
    """eventlet's wsgi and gevent's pywsgi, without their logs"""
    if library == "eventlet":
        from eventlet import wsgi

        wsgi.server(listener, application, max_size=10000, log_output=False)
    else:
        from gevent.pywsgi import WSGIServer

        WSGIServer(listener, application, log=None).serve_forever()


def main(library, program):
    if library == "eventlet":
        from eventlet import spawn_n as spawn
        from eventlet.green import socket
    else:
        from gevent import socket, spawn

    answer = {"echo": echo, "http": http, "stream": flow, "start-response": None}[program]

    def handle(stream):
        with stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answer(stream)

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    print("%s:%d" % listener.getsockname(), flush=True)
    if answer is None:
        return serve_site(library, listener)
    while True:
        stream, _ = listener.accept()
        spawn(handle, stream)


main(*sys.argv[1:])
