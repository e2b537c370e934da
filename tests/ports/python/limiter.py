"""A rate limiter: a bucket of tokens that a green thread refills."""
import time
import eventlet
from eventlet.semaphore import CappedSemaphore


class RateLimiter:
    def __init__(self, interval, burst):
        self.tokens = CappedSemaphore(burst, burst)
        self.refiller = eventlet.spawn(self.refill, interval)

    def refill(self, interval):
        while True:
            eventlet.sleep(interval)
            self.tokens.release(blocking=True)

    def wait(self):
        self.tokens.acquire()

    def stop(self):
        self.refiller.kill()


def call(limiter, start):
    limiter.wait()
    return time.monotonic() - start


def main():
    limiter = RateLimiter(0.01, 5)
    start = time.monotonic()
    pile = eventlet.GreenPile(50)
    for _ in range(15):
        pile.spawn(call, limiter, start)
    waited = list(pile)
    limiter.stop()
    print(len(waited), max(waited) >= 0.1)


main()
