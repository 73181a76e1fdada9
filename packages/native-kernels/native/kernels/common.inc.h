// Shorthands that every kernel file uses.

template <class T>
inline T* operand(const Call& call, int i) {
  return static_cast<T*>(call.operands[i]);
}
inline size_t size(const Call& call, int i) { return static_cast<size_t>(call.numbers[i]); }
inline size_t smallerSize(size_t a, size_t b) { return a < b ? a : b; }
inline size_t divideUp(size_t a, size_t b) { return (a + b - 1) / b; }
inline size_t roundUp(size_t a, size_t b) { return divideUp(a, b) * b; }

template <class T>
inline T* scratchOf(const Call& call, size_t count) {
  return static_cast<T*>(scratch(call, count * sizeof(T)));
}

/// body(item, thread) for the items 0..count-1 on all threads.
template <class F_>
inline void parallel(const Call& call, size_t count, const F_& body) {
  forEach(
      call, count, [](const void* f, size_t item, unsigned thread) { (*static_cast<const F_*>(f))(item, thread); },
      &body);
}

/// body(from, to) over 0..count in pieces of about `grain` on all threads.
template <class F_>
inline void parallelRanges(const Call& call, size_t count, size_t grain, const F_& body) {
  parallel(call, divideUp(count, grain),
           [&](size_t item, unsigned) { body(item * grain, smallerSize(count, (item + 1) * grain)); });
}
/// Rows of `width` elements that make a piece of work worth handing to a thread.
inline size_t rowGrain(size_t width) { return 1 + 16384 / (width + 1); }

/// body(from, to) over 0..count in pieces of `grain`. Each thread passes over a part of its own from front to end, so that
/// it reads one stream of memory, then helps with what is left of the others' parts.
template <class F_>
inline void parallelStreams(const Call& call, size_t count, size_t grain, const F_& body) {
  const size_t parts = threadCount(call);
  struct alignas(64) Part {
    std::atomic<size_t> next;
  };
  auto* part = scratchOf<Part>(call, parts);
  for (size_t i = 0; i < parts; i++) part[i].next = i * count / parts;
  parallel(call, parts, [&](size_t own, unsigned) {
    for (size_t k = 0; k < parts; k++) {
      const size_t i = (own + k) % parts, end = (i + 1) * count / parts;
      for (size_t from; (from = part[i].next.fetch_add(grain, std::memory_order_relaxed)) < end;) {
        body(from, smallerSize(end, from + grain));
      }
    }
  });
}
