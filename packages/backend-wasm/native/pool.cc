#include "pool.h"

namespace spikellm {

namespace {
/// Looks of a thread for more work before it sleeps: some tens of microseconds, as much as to sleep and be woken costs.
constexpr int LOOKS = 20000;

#if defined(__wasm_atomics__)
void sleepWhile(std::atomic<int32_t>& word, int32_t value) {
  __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int32_t*>(&word), value, -1);
}
void wake(std::atomic<int32_t>& word) {
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int32_t*>(&word), UINT32_MAX);
}
#else
void sleepWhile(std::atomic<int32_t>&, int32_t) {}
void wake(std::atomic<int32_t>&) {}
#endif
}  // namespace

void Pool::run(size_t count, Body body, const void* context) {
  body_ = body;
  context_ = context;
  count_ = count;
  next_ = 0;
  if (threads_ == 1 || count < 2) return takeItems(0);
  gate_++;
  if (asleep_ > 0) wake(gate_);
  takeItems(0);
  // Whoever comes in from here on finds the gate closed.
  gate_++;
  while (inside_ > 0) {
  }
}

void Pool::takeItems(unsigned thread) {
  for (size_t item = next_++; item < count_; item = next_++) body_(context_, item, thread);
}

void Pool::help(unsigned thread) {
  int32_t seen = 0;
  while (!closing_) {
    for (int look = 0; look < LOOKS && gate_ == seen; look++) {
    }
    // In this order: `run` closes the gate before it looks whether anybody is inside.
    inside_++;
    const int32_t gate = gate_;
    if (gate % 2 != 0 && gate != seen) takeItems(thread);
    inside_--;
    if (gate != seen) {
      seen = gate;
      continue;
    }
    asleep_++;
    if (!closing_) sleepWhile(gate_, seen);
    asleep_--;
  }
}

void Pool::close() {
  closing_ = true;
  gate_ += 2;
  wake(gate_);
}

}  // namespace spikellm
