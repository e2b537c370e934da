// Threads of C++, and exceptions that are caught by turns.
#include "check.h"
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::mutex mutex;
static std::condition_variable changed;
static int turn;

// Whoever caught last waits amid its `catch` until the others have caught and gone on.
static void catches(int number) {
    try {
        throw std::runtime_error(std::to_string(number));
    } catch (const std::exception &error) {
        std::unique_lock<std::mutex> lock(mutex);
        turn++;
        changed.notify_all();
        changed.wait(lock, [] { return turn >= 10; });
        CHECK(error.what() == std::to_string(number));
        CHECK(std::uncaught_exceptions() == 0);
        try {
            throw;
        } catch (const std::runtime_error &again) {
            CHECK(again.what() == std::to_string(number));
        }
    }
    CHECK(!std::current_exception());
}

#ifdef OWN
static thread_local std::vector<int> own;
#endif

int main() {
    alarm(60);
    std::vector<std::thread> threads;
    for (int i = 0; i < 9; i++) {
        threads.emplace_back(catches, i);
        CHECK(threads.back().get_id() != std::this_thread::get_id());
    }
    while (true) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        std::lock_guard<std::mutex> lock(mutex);
        if (turn == 9) break;
    }
#ifdef OWN
    own.push_back(1);
#endif
    print_colour();
    catches(9);
    for (auto &thread : threads) thread.join();
    return 0;
}
