"""A crawler with a limit for each host, and retries."""
import collections
import eventlet

PAGES = {'/': '/a /b', '/a': '/b /c', '/b': '/', '/c': ''}
limits = collections.defaultdict(lambda: eventlet.Semaphore(2))
pages = {}
failed = set()


def get(host, path):
    conn = eventlet.connect(host)
    conn.sendall(f'{path}\n'.encode())
    page = conn.makefile('r').readline()
    if not page:
        raise OSError('closed')
    return page


def fetch(host, path):
    for attempt in range(3):
        try:
            with limits[host], eventlet.Timeout(1):
                return get(host, path)
        except (OSError, eventlet.Timeout):
            eventlet.sleep(0.001 * 2 ** attempt)
    return ''


def crawl(pool, host, path):
    if path in pages:
        return
    pages[path] = ''
    pages[path] = fetch(host, path)
    for link in pages[path].split():
        pool.spawn_n(crawl, pool, host, link)


def answer(conn, addr):
    path = conn.makefile('r').readline().strip()
    if path in failed:
        conn.sendall(f'{PAGES[path]}\n'.encode())
    failed.add(path)


def main():
    server = eventlet.listen(('127.0.0.1', 0))
    eventlet.spawn_n(eventlet.serve, server, answer)
    pool = eventlet.GreenPool(10)
    pool.spawn_n(crawl, pool, server.getsockname(), '/')
    pool.waitall()
    for path in sorted(pages):
        print(path, len(pages[path]))


main()
