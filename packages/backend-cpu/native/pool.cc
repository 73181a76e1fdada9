#include "pool.h"

#include "spin.h"

namespace spikellm {

Pool::Pool(unsigned threads) {
  for (unsigned thread = 1; thread < threads; thread++) {
    helpers_.emplace_back([this, thread] { help(thread); });
  }
}

void Pool::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  start_.notify_all();
  for (auto& helper : helpers_) helper.join();
  helpers_.clear();
}

void Pool::run(size_t count, Body body, const void* context, const std::atomic<bool>* stop) {
  if (count == 0) return;
  bool wake;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    body_ = body;
    context_ = context;
    count_ = count;
    stop_ = stop;
    next_ = 0;
    open_ = count > 1 && !helpers_.empty();
    wake = open_ && asleep_ > 0;
    if (open_) round_++;
  }
  if (wake) start_.notify_all();
  takeItems(0);
  std::unique_lock<std::mutex> lock(mutex_);
  open_ = false;
  if (inside_ == 0) return;
  lock.unlock();
  if (spinUntil([this] { return inside_ == 0; })) return;
  lock.lock();
  done_.wait(lock, [this] { return inside_ == 0; });
}

void Pool::takeItems(unsigned thread) {
  for (size_t item = next_++; item < count_; item = next_++) {
    if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) return;
    body_(context_, item, thread);
  }
}

void Pool::help(unsigned thread) {
  uint64_t seen = 0;
  const auto called = [&] { return stopping_ || round_ != seen; };
  for (;;) {
    spinUntil(called);
    std::unique_lock<std::mutex> lock(mutex_);
    asleep_++;
    start_.wait(lock, called);
    asleep_--;
    if (stopping_) return;
    seen = round_;
    if (!open_) continue;
    inside_++;
    lock.unlock();
    takeItems(thread);
    lock.lock();
    if (--inside_ == 0) done_.notify_one();
  }
}

}  // namespace spikellm
