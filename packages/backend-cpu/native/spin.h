#pragma once
#include <chrono>
#include <thread>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace spikellm {

/// How long a thread looks out for more work before it sleeps. To sleep and be woken costs about as much.
constexpr std::chrono::microseconds LOOK_OUT{30};

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Whether the condition came about while this thread looked out for it.
template <class Condition>
bool spinUntil(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + LOOK_OUT;
  do {
    for (int i = 0; i < 16; i++) {
      if (condition()) return true;
      relax();
    }
    std::this_thread::yield();  // the main thread may want this core
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace spikellm
