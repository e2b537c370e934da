"""Workers on a bounded queue, each ended by a poison pill."""
import eventlet
from eventlet.queue import Queue


def worker(jobs, results):
    while True:
        job = jobs.get()
        if job is None:
            break
        eventlet.sleep(0.001 * job)
        results.put(job * job)


def main():
    jobs, results = Queue(10), Queue()
    workers = [eventlet.spawn(worker, jobs, results) for _ in range(4)]
    for job in range(1, 21):
        jobs.put(job)
    for _ in workers:
        jobs.put(None)
    for gt in workers:
        gt.wait()
    total = 0
    while not results.empty():
        total += results.get()
    print(total)


main()
