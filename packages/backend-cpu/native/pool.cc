#include "pool.h"

namespace spikellm {

Pool::Pool(unsigned threads) {
  for (unsigned thread = 1; thread < threads; thread++) {
    helpers_.emplace_back([this, thread] { help(thread); });
  }
}

Pool::~Pool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  start_.notify_all();
  for (auto& helper : helpers_) helper.join();
}

void Pool::run(size_t count, Body body, const void* context) {
  if (count <= 1 || helpers_.empty()) {
    for (size_t item = 0; item < count; item++) body(context, item, 0);
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    body_ = body;
    context_ = context;
    count_ = count;
    next_ = 0;
    working_ = helpers_.size();
    round_++;
  }
  start_.notify_all();
  takeItems(0);
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [this] { return working_ == 0; });
}

void Pool::takeItems(unsigned thread) {
  for (size_t item = next_++; item < count_; item = next_++) body_(context_, item, thread);
}

void Pool::help(unsigned thread) {
  uint64_t seen = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    start_.wait(lock, [&] { return stopping_ || round_ != seen; });
    if (stopping_) return;
    seen = round_;
    lock.unlock();
    takeItems(thread);
    lock.lock();
    if (--working_ == 0) done_.notify_one();
  }
}

}  // namespace spikellm
